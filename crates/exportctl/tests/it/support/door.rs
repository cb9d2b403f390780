//! The ledger's door, at which bad input is turned away.

use serde_json::Value;

use super::{World, fed, lines};

/// A ledger with something in it, and a hundred good records to put before a bad one.
pub(crate) struct Door {
    pub(crate) world: World,
    pub(crate) before: Value,
    pub(crate) good: String,
}

impl Door {
    pub(crate) fn new() -> Self {
        let world = World::new();
        world.import("first.jsonl", lines("acme", 3));
        let before = world.stats();
        Self {
            world,
            before,
            good: lines("acme", 100),
        }
    }

    /// The file `name` is refused with `code`; gives what is said.
    #[track_caller]
    pub(crate) fn refuses(&self, name: &str, bytes: &[u8], code: &str, args: &[&str]) -> String {
        let file = self.world.file(name, bytes);
        let mut all = vec!["ledger", "import", file.to_str().unwrap()];
        all.extend(args);
        let error = self.world.error(all, code);
        assert_eq!(error["exit_code"], 3);
        assert!(!error["action"].as_str().unwrap().is_empty());
        let detail = error["detail"].as_str().unwrap().to_owned();
        assert_eq!(self.world.stats(), self.before, "{code}: {detail}");
        detail
    }

    /// `bad` is refused with `code` as a line behind a hundred good ones, plain and compressed, and
    /// from standard input, each time with its place.
    #[track_caller]
    pub(crate) fn refuses_line(&self, bad: &[u8], code: &str) -> String {
        let text = [self.good.as_bytes(), bad, b"\n", self.good.as_bytes()].concat();
        let detail = self.refuses("bad.jsonl", &text, code, &[]);
        assert!(detail.contains("/bad.jsonl:101: "), "{detail}");
        assert!(detail.contains("nothing was imported"), "{detail}");

        let packed = zstd::encode_all(text.as_slice(), 1).unwrap();
        let packed = self.refuses("bad.jsonl.zst", &packed, code, &[]);
        assert!(packed.contains("/bad.jsonl.zst:101: "), "{packed}");

        let args = ["ledger", "import", "-", "--json"];
        let ran = fed(&mut self.world.command(args), &text);
        let value = ran.value();
        assert_eq!((ran.code, &value["error_code"]), (3, &code.into()));
        let said = value["detail"].as_str().unwrap();
        assert!(said.contains("standard input:101: "), "{said}");
        assert_eq!(self.world.stats(), self.before);
        detail
    }
}
