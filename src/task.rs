//! Tasks without which a node is none.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::task::JoinHandle;
use tracing::error;

/// Spawns a task that must not end by a panic: where it does, the process ends, loudly. A node that
/// goes on without it would refuse or keep entries for ever and say nothing of it; one that starts
/// again has everything that was acknowledged.
pub fn vital<F>(name: &'static str, work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(async move {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(value) => value,
            Err(_) => {
                error!(task = name, "a bug ended a task that the node cannot be without: stopping");
                std::process::abort()
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Says to a copy of this test that it is to die.
    const DIES: &str = "DRAVE_TEST_VITAL_TASK_DIES";

    #[tokio::test]
    async fn what_a_vital_task_ends_with_is_given_back() {
        assert_eq!(vital("good", async { 7 }).await.expect("it does not panic"), 7);
    }

    /// In a process of its own, for it takes all others with it.
    #[test]
    fn a_vital_task_that_panics_ends_the_process() {
        const NAME: &str = "task::tests::a_vital_task_that_panics_ends_the_process";
        if std::env::var_os(DIES).is_some() {
            tracing_subscriber::fmt().with_writer(std::io::stderr).init();
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let ended =
                runtime.block_on(async { vital("doomed", async { panic!("a bug") }).await });
            panic!("it went on: {ended:?}");
        }
        let binary = std::env::current_exe().expect("this test's own");
        let mut child = Command::new(binary);
        let ended = child.args([NAME, "--exact", "--nocapture"]).env(DIES, "1").output();
        let ended = ended.expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.contains("doomed") && said.contains("stopping"), "{said}");
        assert!(!said.contains("it went on"), "{said}");
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt as _;
            // SIGABRT, and no orderly end, which might wait for the task that is lost.
            assert_eq!(ended.status.signal(), Some(6), "{said}");
        }
    }
}
