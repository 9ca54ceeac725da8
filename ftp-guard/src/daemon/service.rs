//! The service manager: what it is told (sd_notify(3)), and its watchdog, which is fed only while the guard
//! is alive: the main loop turns, the thread that owns the guard works, and the datapath answers.

use std::{future::Future, time::Duration};

use sd_notify::NotifyState;
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval, timeout},
};

use super::owner::Owner;
use crate::config::Config;

/// So many times within the manager's limit the guard is asked: one answer may be late.
const PARTS: u32 = 3;

/// The main loop is asked by this; see [`turned`].
pub(super) type Turn = oneshot::Sender<()>;

/// Tells the service manager, if there is one.
pub(super) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("the service manager cannot be told: {error}");
    }
}

/// What the manager shows of a guard that is ready.
pub(super) fn summary(config: &Config) -> String {
    let interfaces = config.interfaces.join(", ");
    format!(
        "{} mode at the start, on {interfaces}",
        config.mode.as_str()
    )
}

/// The main loop's answer.
pub(super) fn turned(turn: Turn) {
    // Who asked may have given up.
    let _ = turn.send(());
}

/// Asks the main loop, the owner's thread and the datapath, in this order.
pub(super) async fn probe(turns: mpsc::Sender<Turn>, owner: Owner) -> Result<(), String> {
    let (turn, turned) = oneshot::channel();
    let asked = turns.send(turn).await;
    if asked.is_err() || turned.await.is_err() {
        return Err("the main loop has ended".to_owned());
    }
    owner.probe().await
}

/// Feeds a watchdog that bites after `limit`, for ever, each time that `probe` succeeds; a probe that takes
/// too long has failed.
pub(super) async fn feed<P, F, T>(limit: Duration, probe: P, tell: T)
where
    P: Fn() -> F,
    F: Future<Output = Result<(), String>>,
    T: Fn(&[NotifyState<'_>]),
{
    let every = limit / PARTS;
    let mut beats = interval(every.max(Duration::from_millis(1)));
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut alive = true;
    loop {
        beats.tick().await;
        let answer = timeout(every, probe()).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {every:?}")));
        match answer {
            Ok(()) => {
                tell(&[NotifyState::Watchdog]);
                if !alive {
                    tracing::info!("the guard answers again; the watchdog is fed");
                }
                alive = true;
            }
            Err(what) => {
                if alive {
                    tracing::error!("the guard does not answer, the watchdog is not fed: {what}");
                }
                alive = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    const LIMIT: Duration = Duration::from_millis(150);

    /// How often a watchdog is fed within four times its limit by a guard that answers so.
    async fn fed(answer: impl Fn(u32) -> Option<Result<(), String>>) -> u32 {
        let (asked, fed) = (AtomicU32::new(0), Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&fed);
        let probe = || {
            let answer = answer(asked.fetch_add(1, Ordering::Relaxed));
            async move {
                match answer {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            }
        };
        let tell = move |state: &[NotifyState<'_>]| {
            assert!(matches!(state, [NotifyState::Watchdog]));
            count.fetch_add(1, Ordering::Relaxed);
        };
        let _ = timeout(LIMIT * 4, feed(LIMIT, probe, tell)).await;
        fed.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_guard_that_answers_is_fed_more_often_than_need_be() {
        // A loaded machine may be late.
        assert!(fed(|_| Some(Ok(()))).await > 4);
    }

    #[tokio::test]
    async fn a_guard_that_fails_or_hangs_is_not_fed() {
        assert_eq!(fed(|_| Some(Err("wedged".to_owned()))).await, 0);
        assert_eq!(fed(|_| None).await, 0);
    }

    #[tokio::test]
    async fn a_guard_that_recovers_is_fed_again() {
        let answers = |asked| (asked != 1).then_some(Ok(()));
        assert!(fed(answers).await > 2);
        let once = |asked| {
            Some(if asked == 0 {
                Ok(())
            } else {
                Err(String::new())
            })
        };
        assert_eq!(fed(once).await, 1);
    }
}
