//! Generated pages are what the code says; `make docs` writes them again.

use std::path::Path;

use crate::support::World;

#[test]
fn generated_pages_are_up_to_date() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for file in ["errors.md", "cli.md", "openapi.json"] {
        let page = file.split('.').next().unwrap();
        let printed = World::new().run(["docs", page]);
        assert_eq!(printed.code, 0, "{}", printed.stderr);
        let committed = std::fs::read_to_string(docs.join(file)).unwrap();
        assert!(
            committed == printed.stdout,
            "docs/{file} is out of date: run `make docs`"
        );
    }
}
