//! Events of allowed reads, written behind the act by a thread of the log's own.
//!
//! What changes something is written before it happens; with it, and before it, whatever waits here. A read changes nothing, and to
//! write its two lines takes longer than the read: they are put into words, sealed and written together, a moment later. The
//! order is that in which they happened.
//!
//! Nothing waits without bound: whoever finds the queue full writes it. When the log cannot be written, the next event is not
//! queued, and its act fails as it would have without a queue.
//!
//! Not protected against: a process that dies by a signal or an abort takes up to that many events of reads with it, in
//! practice those of the last milliseconds.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::log::Shared;
use super::pending::Pending;

/// Events that wait: some milliseconds of a thread that does nothing but read.
const EVENTS: usize = 8192;
/// Bytes that they hold.
const BYTES: usize = 8 << 20;
/// How long the writer lets events gather. It takes longer to wake a thread than to write a line.
const GATHERED: Duration = Duration::from_millis(1);
/// When a log that cannot be written is tried again, if nobody asks before.
const AGAIN: Duration = Duration::from_millis(200);

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Behind {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Pending>,
    /// An empty one that has room: to make room takes longer than to queue an event.
    spare: VecDeque<Pending>,
    bytes: usize,
    /// The last attempt to write failed.
    is_failing: bool,
    is_closed: bool,
    writer: Writer,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Writer {
    #[default]
    None,
    /// It waits to be woken.
    Sleeps,
    /// It looks at the queue by itself.
    Works,
}

/// Ends the writer when nobody holds the log any more, and writes what is left.
#[derive(Debug)]
pub(super) struct Closer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The logs that a normal end of the process still writes.
static LIVE: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

impl Behind {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits. Only whoever holds the file may take it, and what could not be written is put back.
    pub(super) fn take(&self) -> VecDeque<Pending> {
        let mut queue = self.lock();
        queue.bytes = 0;
        let spare = std::mem::take(&mut queue.spare);
        std::mem::replace(&mut queue.events, spare)
    }

    /// Puts back what could not be written.
    pub(super) fn put_back(&self, mut left: VecDeque<Pending>, is_failing: bool) {
        let mut queue = self.lock();
        queue.is_failing = is_failing;
        if left.is_empty() {
            queue.spare = left;
            return;
        }
        queue.bytes += left.iter().map(Pending::held_bytes).sum::<usize>();
        left.append(&mut queue.events);
        queue.events = left;
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().events.len()
    }

    fn run(&self, shared: &Shared) {
        let mut queue = self.lock();
        while !queue.is_closed {
            if queue.events.is_empty() {
                queue.writer = Writer::Sleeps;
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.writer = Writer::Works;
            let pause = if queue.is_failing { AGAIN } else { GATHERED };
            let waited = self.changed.wait_timeout_while(queue, pause, |queue| !queue.is_closed);
            drop(waited);
            // It stays in the queue, and whoever comes next is told.
            let _ = shared.write_out(None);
            queue = self.lock();
        }
    }
}

impl Closer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, thread: Mutex::new(None) }
    }

    /// Queues an event. Gives it back when it has to be written now.
    pub(super) fn queue(&self, pending: Pending) -> Result<(), Pending> {
        let behind = &self.shared.behind;
        let mut queue = behind.lock();
        let bytes = queue.bytes + pending.held_bytes();
        if queue.is_failing || queue.events.len() >= EVENTS || bytes > BYTES {
            return Err(pending);
        }
        if queue.writer == Writer::None && !self.start() {
            return Err(pending);
        }
        queue.bytes = bytes;
        queue.events.push_back(pending);
        let was = std::mem::replace(&mut queue.writer, Writer::Works);
        drop(queue);
        if was == Writer::Sleeps {
            behind.changed.notify_one();
        }
        Ok(())
    }

    /// Starts the writer, and has what waits written at a normal end of the process.
    fn start(&self) -> bool {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("claw-audit".into());
        let write = move || {
            // It has time, and takes no processor from whoever reads.
            crate::sys::thread::yield_when_woken();
            shared.behind.run(&shared);
        };
        let Ok(thread) = thread.spawn(write) else { return false };
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|log| log.strong_count() > 0);
        live.push(Arc::downgrade(&self.shared));
        crate::sys::exit::at_exit(write_all);
        true
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.shared.behind.lock().is_closed = true;
        self.shared.behind.changed.notify_all();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let _ = thread.map(JoinHandle::join);
        // Nobody is left who could be told.
        let _ = self.shared.write_out(None);
    }
}

/// Writes what waits in every log.
fn write_all() {
    let live: Vec<_> = {
        let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.iter().filter_map(Weak::upgrade).collect()
    };
    for log in live {
        let _ = log.write_out(None);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Instant;

    use serde_json::json;

    use super::super::{AuditLog, Body, entries, rendered, verify};
    use super::*;

    fn event(number: usize) -> Pending {
        Pending::now("test.event", Body::Text(rendered(&vec![("number", json!(number))])), None)
    }

    /// The numbers of the events in a log, which must be intact.
    fn numbers(path: &Path) -> Vec<usize> {
        let report = verify(path, None).unwrap();
        assert!(report.is_intact() && report.notes.is_empty(), "{report:?}");
        let numbers = entries(path).unwrap().filter_map(|entry| entry.event.get("number")?.as_u64());
        numbers.map(|number| usize::try_from(number).unwrap()).collect()
    }

    #[test]
    fn what_waits_is_written_in_its_order_before_what_does_not_and_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let log = AuditLog::open(&path).unwrap();
        for number in 0..1000 {
            match number % 100 {
                99 => {
                    log.append(&event(number)).unwrap();
                    assert_eq!(numbers(&path), (0..=number).collect::<Vec<_>>());
                }
                _ => log.append_behind(event(number)).unwrap(),
            }
        }
        let clone = log.clone();
        log.append_behind(event(1000)).unwrap();
        drop(log);
        clone.append_behind(event(1001)).unwrap();
        drop(clone);
        assert_eq!(numbers(&path), (0..1002).collect::<Vec<_>>());
    }

    #[test]
    fn what_waits_is_written_soon_without_anybody_asking() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let log = AuditLog::open(&path).unwrap();
        for number in 0..3 {
            log.append_behind(event(number)).unwrap();
            let patience = Instant::now() + Duration::from_secs(60);
            while log.shared().behind.waiting() > 0 || numbers(&path).len() <= number {
                assert!(Instant::now() < patience, "{number}");
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    #[test]
    fn events_of_many_threads_and_two_logs_are_one_chain_over_rotations() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        thread::scope(|scope| {
            let logs = [(); 2].map(|()| AuditLog::with_rotation(&path, 2_000).unwrap());
            for thread in 0..4 {
                let log = logs[thread % 2].clone();
                scope.spawn(move || {
                    for number in 0..500 {
                        log.append_behind(event(thread * 1000 + number)).unwrap();
                    }
                });
            }
        });
        let all = numbers(&path);
        assert_eq!(all.len(), 2000);
        for thread in 0..4 {
            let own = all.iter().copied().filter(|number| number / 1000 == thread);
            assert!(own.eq((0..500).map(|number| thread * 1000 + number)), "{thread}");
        }
        assert!(verify(&path, None).unwrap().files.len() > 5);
    }

    #[test]
    fn the_queue_is_bounded_in_events_and_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::open(directory.path().join("log")).unwrap();
        let long = |bytes| Pending::now("test.event", Body::Text(" ".repeat(bytes)), None);
        for (make, most) in [(&event as &dyn Fn(usize) -> Pending, EVENTS), (&|_| long(1 << 20), 8)] {
            // The writer cannot begin.
            let held = log.hold();
            let refused = (0..).position(|number| log.closer().queue(make(number)).is_err()).unwrap();
            assert_eq!((refused, log.shared().behind.waiting()), (most, most));
            drop(held);
            assert_eq!(log.flush().0, 0);
        }
    }

    #[test]
    fn when_the_log_cannot_be_written_the_next_act_is_told_and_nothing_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let log = AuditLog::open(&path).unwrap();
        log.append(&event(0)).unwrap();
        fs::rename(&path, directory.path().join("moved")).unwrap();
        fs::create_dir(&path).unwrap();
        // These are taken in good faith, until the writer knows better.
        let told = (1..).find_map(|number| {
            thread::sleep(Duration::from_micros(100));
            log.append_behind(event(number)).err().map(|error| (number, error))
        });
        let (number, error) = told.unwrap();
        assert!(number > 1 && error.to_string().contains("is a directory"), "{number} {error}");
        assert!(log.append(&event(number)).is_err() && log.append_behind(event(number)).is_err());
        assert_eq!(log.flush().0, number - 1);
        fs::remove_dir(&path).unwrap();
        fs::rename(directory.path().join("moved"), &path).unwrap();
        log.append_behind(event(number)).unwrap();
        assert_eq!(numbers(&path), (0..=number).collect::<Vec<_>>());
    }
}
