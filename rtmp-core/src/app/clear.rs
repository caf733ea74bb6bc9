//! Clearing streams of an instance: those that are published now, and recorded ones on disk, whose recording ends first.

use std::io;
use std::sync::Arc;

use crate::amf::Value;
use crate::app::application::Application;
use crate::app::instance::Instance;
use crate::app::peer::Reply;
use crate::app::stream_files::Selection;
use crate::error::{Error, Result};
use crate::wire::status::{Code, Status};

impl Instance {
    /// Clears a stream: takes it from whoever publishes it, and deletes the files of its name. With a type prefix (`flv:`,
    /// `mp4:`, `mp3:`) it deletes the file of that kind and leaves the live stream alone.
    ///
    /// A file that is being recorded is completed first: [`on_record`](crate::ApplicationHandler::on_record) hears of
    /// NetStream.Record.Stop, then the file is deleted. What begins to be recorded after this call is not.
    ///
    /// `reply` takes how many streams and files there were; NetStream.Clear.Failed, if there was none or a file could not be
    /// deleted. [`ApplicationHandler::on_status`](crate::ApplicationHandler::on_status) hears of it too.
    pub fn clear_stream(&self, name: &str, reply: Option<Reply>) -> Result<()> {
        self.clear_selected(name, Selection::one(name)?, true, reply)
    }

    /// Clears the streams that a path names, as [`clear_stream`](Self::clear_stream) does each. `/` names all, `/a/b` one,
    /// `/a/` all below `a`; in the last segment `*` stands for any characters and `?` for one. That there is none is no
    /// failure.
    pub fn clear_streams(&self, path: &str, reply: Option<Reply>) -> Result<()> {
        self.clear_selected(path, Selection::matching(path)?, false, reply)
    }

    fn clear_selected(
        &self,
        path: &str,
        selection: Selection,
        must_exist: bool,
        reply: Option<Reply>,
    ) -> Result<()> {
        let application = self.application().ok_or(Error::Closed("application"))?;
        let files = application.stream_files(self.name());
        // Before anything ends, so that what begins after it is told apart.
        let clearings = application.files_in_use().clearings();
        let pending = files.map(|files| (clearings.clearing(files.clone(), selection.clone()), files));
        let (live, recorders) = match selection.kind {
            None => self.clear_live(|name| selection.takes(name)),
            Some(_) => (0, Vec::new()),
        };
        if let Some((pending, _)) = &pending {
            recorders.iter().for_each(|recorder| recorder.clear(pending));
        }
        let tell = self.clearing_told(application.clone(), path, reply);
        let result = move |deleted: io::Result<usize>, recorded: bool| match deleted {
            Ok(0) if must_exist && live == 0 && !recorded => Err("There is no such stream.".to_owned()),
            Ok(deleted) => Ok(live + deleted),
            Err(error) => Err(error.to_string()),
        };
        let disk = Arc::clone(application.disk());
        application.disk().run(Box::new(move || {
            let Some((pending, files)) = pending else {
                return tell(result(Ok(0), false));
            };
            pending.end_recordings(move |pending, recorded| {
                disk.run_surely(Box::new(move || {
                    tell(result(files.delete(&selection), recorded));
                    // Those that wait for it may begin.
                    drop(pending);
                }));
            });
        }))
    }

    /// Tells the host of the outcome.
    fn clearing_told(
        &self,
        application: Application,
        path: &str,
        reply: Option<Reply>,
    ) -> impl FnOnce(Result<usize, String>) + Send + 'static {
        let (instance, path) = (self.clone(), path.to_owned());
        move |result| {
            let status = match &result {
                Ok(_) => Status::for_stream(Code::ClearSuccess, &path),
                Err(why) => Status::for_stream(Code::ClearFailed, &path).with_description(why),
            };
            application.event(move |handler| {
                handler.on_status(&instance, &status);
                if let Some(reply) = reply {
                    #[allow(clippy::cast_precision_loss)] // A count of files.
                    reply(result.map(|count| Value::from(count as f64)).map_err(|_| status));
                }
            });
        }
    }
}
