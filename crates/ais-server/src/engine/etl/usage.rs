//! What processes use, from `/proc`.

use std::time::Duration;

/// Time over which processor time is measured.
const SPAN: Duration = Duration::from_millis(200);

/// Processors and bytes of memory that groups of processes use; zeros where the system does not tell.
pub(super) async fn of(groups: Vec<i32>) -> (f64, i64) {
    let (before, _) = sum(&groups);
    let started = std::time::Instant::now();
    tokio::time::sleep(SPAN).await;
    let (after, memory) = sum(&groups);
    let ticks = after.saturating_sub(before) as f64;
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    (ticks / per_second / started.elapsed().as_secs_f64(), memory)
}

fn sum(groups: &[i32]) -> (u64, i64) {
    let Ok(all) = std::fs::read_dir("/proc") else { return (0, 0) };
    let page = i64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let (mut ticks, mut memory) = (0, 0);
    for entry in all.flatten() {
        if !entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        // It may end at any time.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some((group, used, pages)) = parse(&stat)
            && groups.contains(&group)
        {
            ticks += used;
            memory += pages * page;
        }
    }
    (ticks, memory)
}

/// Group, ticks and pages of one line of `/proc/PID/stat` (proc(5)).
fn parse(stat: &str) -> Option<(i32, u64, i64)> {
    // The name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some((fields.get(2)?.parse().ok()?, ticks, fields.get(21)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc() {
        let line = "12 (a) b) S 1 34 34 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1000 77 184";
        assert_eq!(parse(line), Some((34, 11, 77)));
        assert_eq!(parse("nonsense"), None);
    }
}
