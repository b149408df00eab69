//! What the libraries warn of, on standard error.

use std::fmt;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, Subscriber as Log};
use tracing_subscriber::registry::LookupSpan;

/// From now on warnings are shown, one a line.
pub(crate) fn show() {
    let stderr = || anstream::AutoStream::auto(std::io::stderr());
    let log = Log::builder().with_env_filter("holdall=warn").with_writer(stderr);
    log.event_format(Line).init();
}

/// `warning: what is the matter field=value`
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // A bar may stand in the line.
        if std::io::stderr().is_terminal() {
            write!(writer, "\r\x1b[2K")?;
        }
        let yellow = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
        write!(writer, "{yellow}warning:{yellow:#} ")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
