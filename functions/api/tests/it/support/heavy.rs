//! A run of some 18 MB that is done once and downloaded by many tests.

use std::collections::BTreeMap;

use export_scenarios::HEAVY;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{Api, id};

/// A finished run, and its archive as the store has it.
pub(crate) struct Heavy {
    pub(crate) api: Api,
    pub(crate) run: Value,
    pub(crate) archive: Vec<u8>,
}

/// The run. Nothing about it may be changed.
pub(crate) async fn heavy() -> &'static Heavy {
    static HEAVY_RUN: OnceCell<Heavy> = OnceCell::const_new();
    HEAVY_RUN.get_or_init(make).await
}

async fn make() -> Heavy {
    let api = Api::new(&HEAVY).await;
    let submitted = api.caller("acme").submit("small").await;
    api.finish(&submitted).await;
    let row = api.world.run(&api.key_of(&submitted)).await.unwrap();
    let object = row.archive.unwrap().object;
    let file = api.world.path("objects").join(object.as_str());
    let path = format!("/runs/{}", id(&submitted));
    Heavy {
        run: api.caller("acme").get(path).await.ok(200),
        archive: std::fs::read(file).unwrap(),
        api,
    }
}

impl Heavy {
    /// A path of the run below the API's.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/runs/{}{rest}", id(&self.run))
    }
}

/// The members of an archive (POSIX.1-1988 ustar), by path.
pub(crate) fn members(tar: &[u8]) -> BTreeMap<String, &[u8]> {
    let mut found = BTreeMap::new();
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        String::from_utf8(bytes[..end].to_vec()).unwrap()
    };
    let mut at = 0;
    while tar[at] != 0 {
        let header = &tar[at..at + 512];
        let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
        let size = text(&header[124..136]);
        let size = usize::from_str_radix(size.trim(), 8).unwrap();
        let path = match prefix.as_str() {
            "" => name,
            _ => format!("{prefix}/{name}"),
        };
        if header[156] == b'0' {
            found.insert(path, &tar[at + 512..at + 512 + size]);
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    found
}
