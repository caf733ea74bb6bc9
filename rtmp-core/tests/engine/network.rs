//! NetConnection.Connect.NetworkChange: as the host tells it, and as the system does where a network of one's own can be had.

use std::net::TcpListener;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use rtmp_core::{AcceptAll, Engine, EngineConfig, Level, NetConnection, NetConnectionConfig, Queue, Status};

use crate::support::{PATIENCE, code, connect, connected, serve_on};

const CHANGED: &str = "NetConnection.Connect.NetworkChange";

/// An engine that watches nothing by itself: what happens to the machine's own network is no part of the test.
fn unwatching(workers: usize) -> Engine {
    let mut config = EngineConfig::default();
    config.workers = workers;
    config.watch_network = false;
    Engine::new(config).unwrap()
}

fn assert_changed(statuses: &Receiver<Status>) {
    let status = statuses.recv_timeout(PATIENCE).expect("a status");
    assert_eq!((&*status.code, status.level), (CHANGED, Level::Status));
}

/// Closes a connection; nothing was told but what was read, and nothing is told afterwards.
fn close(connection: NetConnection, statuses: &Receiver<Status>) {
    connection.close();
    assert_eq!(code(statuses), "NetConnection.Connect.Closed");
    drop(connection);
    assert_eq!(statuses.recv_timeout(PATIENCE).ok(), None);
    assert_eq!(statuses.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn netconnection_connect_networkchange_reaches_every_connection_once_when_the_host_says_so() {
    let served = serve_on(unwatching(2), AcceptAll);
    served.engine.network_changed();
    let ours: Vec<_> = (0..4).map(|_| connected(&served.engine, &served.url)).collect();
    served.engine.network_changed();
    served.engine.network_changed();
    for (connection, statuses) in ours {
        assert_changed(&statuses);
        assert_changed(&statuses);
        assert!(connection.is_connected(), "it says nothing of the connection");
        close(connection, &statuses);
    }
    served.engine.network_changed();
    served.engine.close();
    served.engine.network_changed();
}

#[test]
fn netconnection_connect_networkchange_is_not_told_before_success_nor_to_other_engines() {
    let served = serve_on(unwatching(1), AcceptAll);
    let other = unwatching(1);
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live", silent.local_addr().unwrap());
    let (opening, its) = connect(&served.engine, &url);
    let socket = silent.accept().unwrap();
    let (elsewhere, their) = connected(&other, &served.url);
    let (here, statuses) = connected(&served.engine, &served.url);
    served.engine.network_changed();
    assert_changed(&statuses);
    assert_eq!(its.try_recv(), Err(TryRecvError::Empty));
    drop((socket, silent));
    assert_eq!(code(&its), "NetConnection.Connect.Failed");
    drop(opening);
    close(elsewhere, &their);
    close(here, &statuses);
}

#[test]
fn netconnection_connect_networkchange_is_told_to_clients_of_a_gateway_and_where_the_host_wants_it() {
    let served = serve_on(unwatching(1), AcceptAll);
    let (gateway, statuses) = connected(&served.engine, "http://127.0.0.1:9/gateway");
    served.engine.network_changed();
    assert_changed(&statuses);
    close(gateway, &statuses);

    let queue = Queue::new(16).unwrap();
    let (sender, queued) = channel();
    let mut config = NetConnectionConfig::default();
    config.dispatch = queue.to_dispatch();
    let connection = NetConnection::new(&served.engine, config, crate::support::to_channel(sender)).unwrap();
    connection.connect(&served.url, &[]).unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        queue.dispatch(1, PATIENCE).unwrap();
        heard.extend(queued.try_iter().map(|status| status.code.to_string()));
        if heard.len() == 1 {
            served.engine.network_changed();
        }
    }
    assert_eq!(heard, ["NetConnection.Connect.Success", CHANGED]);
}

#[cfg(target_os = "linux")]
mod system {
    //! In a network namespace of its own, where interfaces come and go as the test wants.

    use std::fs;
    use std::io::Write;
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use parking_lot::Mutex;
    use rtmp_core::NetConnectionHandler;

    use super::*;
    use crate::support::{engine, serve, wait_until};

    const INSIDE: &str = "RTMPKIT_TEST_OWN_NETWORK";

    /// Whether this is the process that has a network of its own. Elsewhere it runs the test there, if the system lets it.
    fn is_inside(test: &str) -> bool {
        if std::env::var_os(INSIDE).is_some() {
            ip("link set lo up");
            return true;
        }
        let works = |how: &&&str| {
            let tried = Command::new("unshare")
                .args([how, "ip", "link", "set", "lo", "up"])
                .output();
            tried.is_ok_and(|tried| tried.status.success())
        };
        let Some(how) = ["-n", "-rn"].iter().find(works) else {
            say("no network of one's own here: only what hosts say themselves is tested");
            return false;
        };
        let ran = Command::new("unshare")
            .arg(how)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let [out, err] = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(ran.status.success() && out.contains("1 passed"), "{out}\n{err}");
        false
    }

    /// Not kept back by the test harness.
    fn say(text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    fn ip(arguments: &str) {
        assert!(try_ip(arguments), "ip {arguments}");
    }

    fn try_ip(arguments: &str) -> bool {
        let ran = Command::new("ip")
            .args(arguments.split(' '))
            .stderr(Stdio::null())
            .status();
        ran.unwrap().success()
    }

    /// Many commands in one run.
    fn ip_batch(commands: impl Iterator<Item = String>) {
        let mut running = Command::new("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = running.stdin.take().unwrap();
        commands.for_each(|command| writeln!(input, "{command}").unwrap());
        drop(input);
        assert!(running.wait().unwrap().success());
    }

    /// Sockets that hear of interfaces and addresses, of everybody in this namespace.
    fn watches() -> usize {
        let table = fs::read_to_string("/proc/net/netlink").unwrap();
        let heard = |line: &str| line.split_whitespace().nth(3) == Some("00000111");
        table.lines().filter(|line| heard(line)).count()
    }

    #[test]
    fn netconnection_connect_networkchange_when_addresses_come_and_go() {
        if !is_inside("network::system::netconnection_connect_networkchange_when_addresses_come_and_go") {
            return;
        }
        let served = serve(AcceptAll, 2);
        assert_eq!(watches(), 0, "a server needs none");
        let ours: Vec<_> = (0..3).map(|_| connected(&served.engine, &served.url)).collect();
        wait_until("one watch for all", || watches() == 1);
        for change in ["addr add 192.0.2.1/32 dev lo", "addr del 192.0.2.1/32 dev lo"] {
            ip(change);
            ours.iter().for_each(|(_, statuses)| assert_changed(statuses));
        }
        if try_ip("addr add 2001:db8::1/128 dev lo") {
            ours.iter().for_each(|(_, statuses)| assert_changed(statuses));
        }
        // What changes nothing is not told, and many steps are one change, or few where the machine is slow.
        ip("link set lo mtu 60000");
        let and_back = ["add", "del"].map(|verb| format!("addr {verb} 192.0.2.1/32 dev lo"));
        ip_batch(and_back.into_iter().cycle().take(40));
        ip_batch((1..=40).map(|number| format!("addr add 198.51.100.{number}/32 dev lo")));
        for (connection, statuses) in ours {
            assert_changed(&statuses);
            connection.close();
            let told = std::iter::from_fn(|| Some(code(&statuses))).take_while(|code| code == CHANGED);
            assert!(told.count() < 8);
        }
        wait_until("nobody is left to be told", || watches() == 0);
        let (again, statuses) = connected(&served.engine, &served.url);
        ip("addr add 192.0.2.1/32 dev lo");
        assert_changed(&statuses);
        served.engine.close();
        assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
        served.engine.join(Some(PATIENCE)).unwrap();
        assert_eq!((watches(), again.is_connected()), (0, false));
    }

    #[test]
    fn netconnection_connect_networkchange_when_a_cable_is_lost() {
        if !is_inside("network::system::netconnection_connect_networkchange_when_a_cable_is_lost") {
            return;
        }
        if !try_ip("link add name near type veth peer name far") {
            return say("no pairs of interfaces here");
        }
        ip("link set far up");
        let served = serve(AcceptAll, 1);
        let (connection, statuses) = connected(&served.engine, &served.url);
        // Up with an address of its link alone: of no use to a client.
        ip("link set near up");
        ip("addr add 192.0.2.1/24 dev near");
        assert_changed(&statuses);
        for state in ["down", "up"] {
            ip(&format!("link set far {state}"));
            assert_changed(&statuses);
        }
        ip("link del near");
        assert_changed(&statuses);
        close(connection, &statuses);
    }

    /// Holds its worker until the test lets go.
    struct Holding(Mutex<Receiver<()>>, std::sync::mpsc::Sender<Status>);

    impl NetConnectionHandler for Holding {
        fn on_status(&self, _: &NetConnection, status: &Status) {
            let _ = self.1.send(status.clone());
            // Let go of once, and then not to be held again.
            let _ = self.0.lock().recv_timeout(PATIENCE);
        }
    }

    #[test]
    fn netconnection_connect_networkchange_when_more_is_said_than_the_socket_holds() {
        if !is_inside(
            "network::system::netconnection_connect_networkchange_when_more_is_said_than_the_socket_holds",
        ) {
            return;
        }
        let served = serve_on(engine(1), AcceptAll);
        let (first, firsts) = connected(&served.engine, &served.url);
        ip("addr add 192.0.2.1/32 dev lo");
        assert_changed(&firsts);
        let (release, held) = channel();
        let (sender, statuses) = channel();
        let handler = Arc::new(Holding(Mutex::new(held), sender));
        let second = NetConnection::new(&served.engine, NetConnectionConfig::default(), handler).unwrap();
        second.connect(&served.url, &[]).unwrap();
        assert_eq!(code(&statuses), "NetConnection.Connect.Success");
        // The worker is in the handler above.
        let address = |number: u32| format!("addr add 203.0.{}.{}/32 dev lo", number / 250, number % 250 + 1);
        ip_batch((0..2_000).map(address));
        let table = fs::read_to_string("/proc/net/netlink").unwrap();
        let dropped = |line: &str| {
            line.split_whitespace()
                .nth(8)
                .and_then(|count| count.parse::<u64>().ok())
        };
        let lost: u64 = table.lines().filter_map(dropped).sum();
        assert!(lost > 0, "{table}");
        drop(release);
        assert_changed(&firsts);
        assert_changed(&statuses);
        close(first, &firsts);
    }

    #[test]
    fn a_host_that_tells_itself_may_have_nothing_watched() {
        if !is_inside("network::system::a_host_that_tells_itself_may_have_nothing_watched") {
            return;
        }
        let served = serve_on(unwatching(1), AcceptAll);
        let (connection, statuses) = connected(&served.engine, &served.url);
        ip("addr add 192.0.2.1/32 dev lo");
        assert_eq!(watches(), 0);
        served.engine.network_changed();
        assert_changed(&statuses);
        close(connection, &statuses);
    }
}
