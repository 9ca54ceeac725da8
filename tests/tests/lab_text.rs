//! What is told of sessions over real sockets: by the socket program, to a reader that another one follows.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_guard::{
    config::XdpChoice,
    datapath::{Datapath, SessionSettings, Settings, TextReader, allow::sizes},
    engine::{
        allowlist::{AllowTable, Change},
        monitor::told::{Told, What},
    },
};
use ftp_guard_common::{
    allow::{AllowValue, EntryKind},
    class::PortClass,
    config::{FLAG_TEXT, Role},
    ports::PORTS,
    session::FlowKind,
};
use ftp_guard_tests::lab::{Family, SERVER, Site, guard};

const LIMIT: Duration = Duration::from_secs(10);

fn open(site: &Site) -> Result<Datapath> {
    Ok(Datapath::open(&Settings {
        pin_path: site
            .server
            .folder()
            .outside(&guard::Settings::default().pins()),
        max_entries: 100,
        allow_sizes: sizes(&AllowTable::default()),
        max_bans: 100,
        trace: false,
        role: Role::Host,
        sessions: 64,
        flows: 64,
    })?)
}

fn prepare(datapath: &mut Datapath) -> Result<()> {
    let mut classes = Box::new([PortClass::Other as u8; PORTS]);
    classes[21] = PortClass::Control as u8;
    classes[50_001] = PortClass::PassiveData as u8;
    datapath.set_ports(&classes)?;
    datapath.set_session_config(&SessionSettings {
        role: Role::Host,
        flags: FLAG_TEXT,
        pinhole_ns: 30_000_000_000,
        pinhole_interval_ns: 1,
        pinhole_burst_ns: 30_000_000_000,
    })?;
    let all = "0.0.0.0/0".parse()?;
    let value = AllowValue {
        expires_s: 0,
        profile: 0,
        prefix_len: 0,
        kind: EntryKind::Allow as u8,
    };
    datapath.apply(&[Change::Insert(all, value)], &[(all, value)].into())?;
    datapath.attach_sockets()?;
    datapath.attach(Site::INTERFACE, XdpChoice::Auto)?;
    Ok(())
}

/// What a record is, in a word or two.
fn word(told: &Told<'_>) -> String {
    match told.what {
        What::Began(..) => "began".into(),
        What::Said(said) => String::from_utf8_lossy(said.bytes).trim_end().into(),
        What::Ended(totals) => format!("ended {} {}", totals.bytes_in, totals.bytes_out),
        What::DataBegan(FlowKind::Passive) => "data began".into(),
        What::DataEnded(FlowKind::Passive, totals) => format!("data ended {}", totals.bytes_out),
        other => format!("{other:?}"),
    }
}

/// Reads until so many records have come.
fn read(
    reader: &mut TextReader,
    runtime: &tokio::runtime::Runtime,
    many: usize,
) -> Result<Vec<(u64, String)>> {
    let mut words = Vec::new();
    runtime
        .block_on(tokio::time::timeout(LIMIT, async {
            loop {
                reader.read(|told| words.push((told.session, word(told))));
                if words.len() >= many {
                    return std::io::Result::Ok(());
                }
                reader.readable().await?;
            }
        }))
        .with_context(|| format!("only {words:?}"))??;
    Ok(words)
}

fn expect(stream: &mut TcpStream, text: &str) -> Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    let mut found = vec![0; text.len()];
    stream.read_exact(&mut found)?;
    ensure!(found == text.as_bytes());
    Ok(())
}

/// One side says something, and the other one hears it.
fn say(from: &mut TcpStream, to: &mut TcpStream, text: &str) -> Result<()> {
    from.write_all(text.as_bytes())?;
    expect(to, text)
}

#[test]
fn a_session_is_told_from_its_greeting_to_its_end() {
    Site::test(|site| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let _entered = runtime.enter();
        let mut datapath = site.server.enter(|| -> Result<Datapath> {
            let mut datapath = open(site)?;
            prepare(&mut datapath)?;
            Ok(datapath)
        })?;
        let listen = |port| {
            let address = SERVER.at(Family::V4, port);
            site.server.enter(move || TcpListener::bind(address))
        };
        let connect = |port| {
            let address = SERVER.at(Family::V4, port);
            site.client
                .enter(move || TcpStream::connect_timeout(&address, LIMIT))
        };
        let mut reader = datapath.text_reader()?;
        let control = listen(21)?;
        let mut client = connect(21)?;
        let (mut server, _) = control.accept()?;
        say(&mut server, &mut client, "220 ready\r\n")?;
        say(&mut client, &mut server, "PASS secret\r\n")?;
        let told = read(&mut reader, &runtime, 3)?;
        let number = told[0].0;
        let texts = |told: Vec<(u64, String)>| -> Result<Vec<String>> {
            ensure!(
                told.iter().all(|(session, _)| *session == number),
                "{told:?}"
            );
            Ok(told.into_iter().map(|(_, text)| text).collect())
        };
        ensure!(texts(told)? == ["began", "220 ready", "PASS ******"]);

        // Nobody reads for a while; the next one reads on where this one stopped.
        drop(reader);
        let data = listen(50_001)?;
        say(&mut client, &mut server, "EPSV\r\n")?;
        say(&mut server, &mut client, "229 go (|||50001|)\r\n")?;
        let mut sink = connect(50_001)?;
        let (mut source, _) = data.accept()?;
        say(&mut source, &mut sink, "0123456789")?;
        drop(source);
        ensure!(sink.read(&mut [0; 8])? == 0);
        drop(sink);
        drop(datapath);
        datapath = site.server.enter(|| open(site))?;
        ensure!(datapath.adopted());
        let mut reader = datapath.text_reader()?;
        let told = texts(read(&mut reader, &runtime, 4)?)?;
        ensure!(
            told == ["EPSV", "229 go (|||50001|)", "data began", "data ended 10"],
            "{told:?}"
        );

        say(&mut client, &mut server, "QUIT\r\n")?;
        drop(server);
        ensure!(client.read(&mut [0; 8])? == 0);
        drop(client);
        let told = texts(read(&mut reader, &runtime, 2)?)?;
        ensure!(told == ["QUIT", "ended 25 31"], "{told:?}");
        ensure!(datapath.text_losses()? == [0; 8]);
        site.server.enter(|| datapath.detach_all())?;
        Ok(())
    });
}
