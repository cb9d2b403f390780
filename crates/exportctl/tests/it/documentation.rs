//! Generated pages are what the code says; `make docs` writes them again.

use std::path::Path;

use crate::support::World;

#[test]
fn generated_pages_are_up_to_date() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for page in ["errors", "cli"] {
        let printed = World::new().run(["docs", page]);
        assert_eq!(printed.code, 0, "{}", printed.stderr);
        let committed = std::fs::read_to_string(docs.join(format!("{page}.md"))).unwrap();
        assert!(
            committed == printed.stdout,
            "docs/{page}.md is out of date: run `make docs`"
        );
    }
}
