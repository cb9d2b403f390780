//! Every setting is in the documentation, as the code has it.

use std::fmt::Write as _;
use std::path::Path;

use export_stack::SETTINGS;

const BEGIN: &str =
    "<!-- Generated from crates/stack/src/settings.rs; `make docs` writes it. -->\n";
const END: &str = "<!-- End of what is generated. -->\n";

#[test]
fn every_setting_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let mut table = String::from("| in the file | variable | |\n|---|---|---|\n");
    for setting in SETTINGS {
        let _ = writeln!(
            table,
            "| `{}` | `{}` | {} |",
            setting.key, setting.variable, setting.what
        );
    }
    let expected = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("EXPORT_WRITE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    } else {
        assert!(
            page == expected,
            "docs/configuration.md is stale; run `make docs`"
        );
    }
}
