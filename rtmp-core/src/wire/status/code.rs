//! The codes themselves.

use std::fmt;

use super::Level;

/// What servers of ours tell each other's relays: the way that a stream has come. No code of the field, so not one of [`Code`].
#[cfg(feature = "engine")]
pub(crate) const RELAY_PATH: &str = "NetStream.Relay.Path";

macro_rules! codes {
    ($($name:ident = $text:literal, $level:ident, $description:literal $(, $template:literal)?;)*) => {
        /// A status code of NetConnection, NetStream, SharedObject or the application, with its usual level and text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`: ", $description)] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it is on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The code a text stands for; `None` for texts that are not in the table.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The level the code is sent with.
            pub const fn level(self) -> Level {
                match self {
                    $(Self::$name => Level::$level,)*
                }
            }

            /// A description that fits every use of the code.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$name => $description,)*
                }
            }

            /// The description with the stream, method or object it is about; the general one where none is usual.
            pub fn description_of(self, name: &str) -> String {
                match self {
                    $($(Self::$name => $template.replace("{}", name),)?)*
                    _ => self.description().to_owned(),
                }
            }
        }
    };
}

codes! {
    ConnectSuccess = "NetConnection.Connect.Success", Status, "Connection succeeded.";
    ConnectRejected = "NetConnection.Connect.Rejected", Error, "Connection rejected.",
        "[ Server.Reject ] : {}";
    ConnectInvalidApp = "NetConnection.Connect.InvalidApp", Error, "The application name is not valid.",
        "[ Server.Reject ] : Application ({}) is not defined.";
    ConnectFailed = "NetConnection.Connect.Failed", Error, "The connection attempt failed.";
    ConnectClosed = "NetConnection.Connect.Closed", Status, "The connection was closed.";
    ConnectAppShutdown = "NetConnection.Connect.AppShutdown", Error, "The application is being shut down.";
    ConnectIdleTimeout = "NetConnection.Connect.IdleTimeout", Status, "The connection was idle for too long.";
    ConnectNetworkChange = "NetConnection.Connect.NetworkChange", Status, "The network has changed.";
    ConnectReconnectRequest = "NetConnection.Connect.ReconnectRequest", Status, "The client is asked to reconnect.";
    ConnectReconnectFailed = "NetConnection.Connect.ReconnectFailed", Warning, "The connection stays where it is.";
    CallFailed = "NetConnection.Call.Failed", Error, "The call failed.", "Method not found ({}).";
    CallBadVersion = "NetConnection.Call.BadVersion", Error, "The packet's encoding is not supported.";
    CallProhibited = "NetConnection.Call.Prohibited", Error, "The call is not permitted.";
    ProxyNotResponding = "NetConnection.Proxy.NotResponding", Error, "The origin server does not respond.";

    PublishStart = "NetStream.Publish.Start", Status, "Publishing has started.", "{} is now published.";
    PublishBadName = "NetStream.Publish.BadName", Error, "The stream is already being published.",
        "{} is already publishing";
    PublishIdle = "NetStream.Publish.Idle", Status, "The publisher is idle.", "{} is idle.";
    PublishDenied = "NetStream.Publish.Denied", Error, "Publishing is not permitted.",
        "Publishing {} is not permitted.";
    PublishRejected = "NetStream.Publish.Rejected", Error, "Publishing was rejected.", "Publishing {} was rejected.";
    UnpublishSuccess = "NetStream.Unpublish.Success", Status, "Publishing has stopped.", "{} is now unpublished.";

    RecordStart = "NetStream.Record.Start", Status, "Recording has started.", "Recording {}.";
    RecordStop = "NetStream.Record.Stop", Status, "Recording has stopped.", "Stopped recording {}.";
    RecordFailed = "NetStream.Record.Failed", Error, "Recording failed.", "Failed to record {}.";
    RecordNoAccess = "NetStream.Record.NoAccess", Error, "The recording is in use or read-only.",
        "No access to record {}.";
    RecordDiskQuotaExceeded = "NetStream.Record.DiskQuotaExceeded", Status, "The recording has reached its limit.",
        "The recording of {} has reached its limit.";
    RecordAlreadyExists = "NetStream.Record.AlreadyExists", Status, "Another stream is recording to the same file.",
        "Another stream is recording to the file of {}.";

    PlayReset = "NetStream.Play.Reset", Status, "The play list was reset.", "Playing and resetting {}.";
    PlayStart = "NetStream.Play.Start", Status, "Playback has started.", "Started playing {}.";
    PlayStop = "NetStream.Play.Stop", Status, "Playback has stopped.", "Stopped playing {}.";
    PlayComplete = "NetStream.Play.Complete", Status, "Playback is complete.", "Finished playing {}.";
    PlaySwitch = "NetStream.Play.Switch", Status, "Playback goes on with the next stream.", "Switching to {}.";
    PlayStreamNotFound = "NetStream.Play.StreamNotFound", Error, "The stream was not found.",
        "Failed to play {}; stream not found.";
    PlayFailed = "NetStream.Play.Failed", Error, "Playback failed.", "Failed to play {}.";
    PlayInsufficientBw = "NetStream.Play.InsufficientBW", Warning, "Data is played behind the normal speed.",
        "Insufficient bandwidth for {}.";
    PlayPublishNotify = "NetStream.Play.PublishNotify", Status, "Publishing has begun.", "{} is now published.";
    PlayUnpublishNotify = "NetStream.Play.UnpublishNotify", Status, "Publishing has stopped.",
        "{} is now unpublished.";
    PlayFileStructureInvalid = "NetStream.Play.FileStructureInvalid", Error, "The file's structure is not valid.",
        "The file structure of {} is not valid.";
    PlayNoSupportedTrackFound = "NetStream.Play.NoSupportedTrackFound", Error, "The file has no supported track.",
        "{} has no supported track.";
    PlayTransition = "NetStream.Play.Transition", Status, "The stream is being switched.", "Transitioning to {}.";
    PlayTransitionComplete = "NetStream.Play.TransitionComplete", Status, "The stream was switched.",
        "Transitioned to {}.";
    TransitionSuccess = "NetStream.Transition.Success", Status, "The transition was accepted.";
    TransitionForced = "NetStream.Transition.Forced", Status, "The transition was forced.";

    PauseNotify = "NetStream.Pause.Notify", Status, "Playback is paused.", "Pausing {}.";
    UnpauseNotify = "NetStream.Unpause.Notify", Status, "Playback goes on.", "Unpausing {}.";
    SeekNotify = "NetStream.Seek.Notify", Status, "The stream was sought.", "Seeking {}.";
    SeekFailed = "NetStream.Seek.Failed", Error, "The stream cannot be sought.", "Failed to seek {}.";
    SeekInvalidTime = "NetStream.Seek.InvalidTime", Error, "The time is beyond the stream's end.",
        "Failed to seek {}: the time is beyond its end.";

    BufferEmpty = "NetStream.Buffer.Empty", Status, "The buffer is empty.";
    BufferFull = "NetStream.Buffer.Full", Status, "The buffer is full.";
    BufferFlush = "NetStream.Buffer.Flush", Status, "All data has arrived; the buffer will be played out.";

    StreamInvalidArg = "NetStream.InvalidArg", Error, "An argument is not valid.", "Invalid argument: {}.";
    StreamFailed = "NetStream.Failed", Error, "The operation failed.", "{} failed.";
    DataStart = "NetStream.Data.Start", Status, "Data begins.";
    ClearSuccess = "NetStream.Clear.Success", Status, "The recording was deleted.", "{} was deleted.";
    ClearFailed = "NetStream.Clear.Failed", Error, "The recording could not be deleted.", "{} could not be deleted.";

    SharedObjectNoReadAccess = "SharedObject.NoReadAccess", Error, "Reading the shared object is not permitted.",
        "Reading {} is not permitted.";
    SharedObjectNoWriteAccess = "SharedObject.NoWriteAccess", Error, "Writing the shared object is not permitted.",
        "Writing {} is not permitted.";
    SharedObjectCreationFailed = "SharedObject.ObjectCreationFailed", Error, "The shared object cannot be created.",
        "{} cannot be created.";
    SharedObjectBadPersistence = "SharedObject.BadPersistence", Error,
        "The shared object exists with another persistence.", "{} exists with another persistence.";
    SharedObjectUriMismatch = "SharedObject.UriMismatch", Error,
        "The shared object belongs to another connection's URI.";
    SharedObjectFlushSuccess = "SharedObject.Flush.Success", Status, "The shared object was stored.";
    SharedObjectFlushFailed = "SharedObject.Flush.Failed", Error, "The shared object could not be stored.";

    ScriptError = "Application.Script.Error", Error, "An error occurred in the application.";
    ScriptWarning = "Application.Script.Warning", Warning, "A warning was raised in the application.";
    ResourceLowMemory = "Application.Resource.LowMemory", Error, "The application runs out of memory.";
    ApplicationShutdown = "Application.Shutdown", Status, "The application is being shut down.";
    ApplicationGc = "Application.GC", Status, "The application's idle resources are being released.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_parses_back_and_ends_a_sentence() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!(code.description().ends_with('.'), "{code}");
            assert!(!code.description_of("x").contains("{}"), "{code}");
        }
        assert_eq!(Code::parse("NetStream.Play.start"), None);
    }

    #[test]
    fn levels_are_those_of_the_published_tables() {
        assert_eq!(Code::ConnectSuccess.level(), Level::Status);
        assert_eq!(Code::ConnectAppShutdown.level(), Level::Error);
        assert_eq!(Code::ConnectIdleTimeout.level(), Level::Status);
        assert_eq!(Code::PlayInsufficientBw.level(), Level::Warning);
        assert_eq!(Code::RecordAlreadyExists.level(), Level::Status);
        assert_eq!(Code::PublishBadName.level(), Level::Error);
    }

    #[test]
    fn descriptions_name_their_stream() {
        assert_eq!(
            Code::PlayReset.description_of("test"),
            "Playing and resetting test."
        );
        assert_eq!(Code::PlayStart.description_of("test"), "Started playing test.");
        assert_eq!(
            Code::PlayStreamNotFound.description_of("test"),
            "Failed to play test; stream not found."
        );
        assert_eq!(
            Code::PublishStart.description_of("test"),
            "test is now published."
        );
        assert_eq!(
            Code::ConnectSuccess.description_of("test"),
            "Connection succeeded."
        );
    }
}
