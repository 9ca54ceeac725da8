use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

use super::fake::{Fake, Files};
use crate::daemon::{
    owner::Owner,
    service::{probe, turned},
};

/// What a guard answers whose datapath or main loop is broken; nothing when it does not.
async fn answer(datapath: bool, main_loop: bool) -> Option<Result<(), String>> {
    let files = Files::new("[\"eth0\"]");
    let mut kernel = Fake::with_interfaces(&["eth0"]);
    if !datapath {
        kernel.broken.insert("probe");
    }
    let (owner, _reports) = Owner::spawn(files.guard(kernel)).unwrap();
    let (turns, mut asked) = mpsc::channel(1);
    let main = async {
        let mut unanswered = Vec::new();
        while let Some(turn) = asked.recv().await {
            match main_loop {
                true => turned(turn),
                false => unanswered.push(turn),
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = timeout(Duration::from_millis(300), probe(turns, owner)) => answer.ok(),
        () = main => None,
    }
}

#[tokio::test]
async fn main_loop_owner_and_datapath_are_asked() {
    assert_eq!(answer(true, true).await, Some(Ok(())));
    let wedged = answer(false, true).await.unwrap().unwrap_err();
    assert!(wedged.contains("on purpose"), "{wedged}");
    assert_eq!(answer(true, false).await, None);
}
