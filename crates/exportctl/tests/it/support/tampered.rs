//! A ledger whose file somebody changes behind the program's back.

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::World;

/// The database of a home's ledger.
pub(crate) struct Tampered {
    database: Connection,
}

impl Tampered {
    pub(crate) fn open(world: &World) -> Self {
        Self {
            database: Connection::open(world.home().join("ledger.db")).unwrap(),
        }
    }

    /// The `_id` and the text of the record with this subject.
    pub(crate) fn record(&self, subject: &str) -> (String, String) {
        let sql = "SELECT id, CAST(body AS TEXT) FROM entries JOIN bodies USING (seq)
                   WHERE subject_key = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.database.query_row(sql, [subject], read).unwrap()
    }

    /// Replaces a record, index and all.
    pub(crate) fn replace(&self, id: &str, body: &str) {
        self.replace_body_only(id, body);
        let digest: [u8; 32] = Sha256::digest(body.as_bytes()).into();
        let sql = "UPDATE entries SET record_sha256 = ?2, size = ?3 WHERE id = ?1";
        self.change(sql, params![id, digest, i64::try_from(body.len()).unwrap()]);
    }

    /// Replaces a record's bytes; the index says what it said.
    pub(crate) fn replace_body_only(&self, id: &str, body: &str) {
        let sql = "UPDATE bodies SET body = ?2 WHERE seq = (SELECT seq FROM entries WHERE id = ?1)";
        self.change(sql, params![id, body.as_bytes()]);
    }

    /// Removes a record's bytes.
    pub(crate) fn remove_body(&self, id: &str) {
        let sql = "DELETE FROM bodies WHERE seq = (SELECT seq FROM entries WHERE id = ?1)";
        self.change(sql, params![id]);
    }

    /// Makes a record one that no known guardrail has seen.
    pub(crate) fn forget_admission(&self, id: &str) {
        self.change(
            "UPDATE entries SET guardrails = 0 WHERE id = ?1",
            params![id],
        );
    }

    fn change(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) {
        assert_eq!(self.database.execute(sql, values).unwrap(), 1, "{sql}");
    }
}
