//! Records at positions that are named.

use export_model::Position;
use export_ports::{PageBudget, PortError, RecordPage, Scan};

use super::ask::Link;
use super::pages::{Read, add_budget, ask, form, page_of};
use crate::cursor;
use crate::wire::PICKED;

/// Positions that are sent at least, where there are so many: some may have no record.
const FEWEST: usize = 64;
/// One position is sent for so many bytes that a page may have. Records are rarely smaller, and what a
/// page has no room for is sent again.
const RECORD_BYTES: usize = 1 << 10;
/// The most bytes of positions in a request of more than one: far below what a ledger takes, since
/// there may be somebody between who takes less.
const POSITIONS_BYTES: usize = 512 << 10;

/// A page of the records at `positions`, which ascend; empty where none of them has one. None where
/// the ledger does not know how to pick.
pub(super) async fn pick(
    link: &Link,
    scan: &Scan,
    positions: &[Position],
    budget: PageBudget,
    trusted: bool,
    mut page: RecordPage,
) -> Result<Option<RecordPage>, PortError> {
    page.records.clear();
    page.bytes.clear();
    let most = (budget.bytes / RECORD_BYTES)
        .min(budget.records)
        .clamp(FEWEST, PICKED);
    let mut rest = positions;
    while page.records.is_empty() {
        let mut form = form(link, scan)?;
        add_budget(&mut form, budget);
        let mut room = POSITIONS_BYTES;
        let mut count = 0;
        for position in rest.iter().take(most) {
            let at = cursor::encode(position);
            let Some(left) = room.checked_sub(at.len()).or((count == 0).then_some(0)) else {
                break;
            };
            form.add("at", at);
            (room, count) = (left, count + 1);
        }
        let (asked, later) = rest.split_at(count);
        let (Some(first), Some(last)) = (asked.first(), asked.last()) else {
            break;
        };
        let read = Read {
            scan,
            first,
            last,
            after: None,
            budget,
            among: Some(asked),
            trusted,
        };
        let ask = ask(link, scan, "pick", "picking records", form);
        let mut retry = link.retry();
        match page_of(link, &ask, &read, page, &mut retry).await {
            Ok(found) => page = found,
            Err(refused) if retry.is_unknown => {
                tracing::debug!(doing = ask.doing, "one by one: {refused}");
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        rest = later;
    }
    Ok(Some(page))
}
