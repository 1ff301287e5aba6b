//! What a test's code logs.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The lines that were logged on this thread since [`Log::capture`], while this is there.
#[derive(Debug)]
pub struct Log(Text);

#[derive(Clone, Debug, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

thread_local! {
    static CAPTURED: RefCell<Option<(Level, Text)>> = const { RefCell::new(None) };
}

/// One subscriber for all threads. With one for each, `tracing` can miss an event while another thread sets its own.
struct OfThisThread;

impl<'a> MakeWriter<'a> for OfThisThread {
    type Writer = Box<dyn io::Write>;

    fn make_writer(&'a self) -> Self::Writer {
        Box::new(io::sink())
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        CAPTURED.with_borrow(|captured| match captured {
            Some((level, text)) if event.level() <= level => Box::new(text.clone()),
            _ => self.make_writer(),
        })
    }
}

impl Log {
    /// Keeps the lines of this level and above: `WARN`, or at most `DEBUG`.
    pub fn capture(level: Level) -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(Level::DEBUG)
                .with_ansi(false)
                .without_time()
                .with_writer(OfThisThread)
                .finish();
            tracing::subscriber::set_global_default(subscriber).expect("no test has a subscriber of its own");
        });
        let text = Text::default();
        CAPTURED.set(Some((level, text.clone())));
        Self(text)
    }

    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The only line.
    pub fn only(&self) -> String {
        match &*self.lines() {
            [line] => line.clone(),
            lines => panic!("not one line: {lines:#?}"),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        CAPTURED.set(None);
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
