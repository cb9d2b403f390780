//! The `age` command as the referee: the path to it is in `AGE`, and `age-keygen` beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use export_sealing::{FileKeys, Identity, Keyring, Recipient};
use tempfile::TempDir;

use crate::world::{content, context, counting, holding, identity, open, recipients, seal_age};

const CHUNK: usize = 64 * 1024;

/// Nothing, one byte, around one chunk and two, and several with a rest.
const SIZES: [usize; 9] = [
    0,
    1,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    2 * CHUNK,
    2 * CHUNK + 1,
    5 * CHUNK,
    (1 << 20) + 12_345,
];

struct Age {
    command: PathBuf,
    work: TempDir,
}

impl Age {
    fn from_environment() -> Option<Self> {
        let command = std::env::var_os("AGE").filter(|path| !path.is_empty());
        if command.is_none() {
            println!("skipped: the age referee: AGE is not set");
        }
        Some(Self {
            command: command?.into(),
            work: TempDir::new().unwrap(),
        })
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn run(&self, command: &Path, arguments: &[&str]) -> Output {
        Command::new(command).args(arguments).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(&self.command, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        output.stdout
    }

    fn decrypt(&self, identity: &Identity, sealed: &[u8]) -> Output {
        let key = self.write("key.txt", identity.to_file().as_bytes());
        let file = self.write("sealed.age", sealed);
        self.run(&self.command, &["-d", "-i", text(&key), text(&file)])
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn opens_what_we_seal() {
    let Some(age) = Age::from_environment() else {
        return;
    };
    let identities = [identity(1), identity(2), identity(3)];
    for size in SIZES {
        let sealed = seal_age(&content(size), &identities);
        for one in &identities {
            let output = age.decrypt(one, &sealed);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{size}: {errors}");
            assert!(output.stdout == content(size), "{size}");
        }
        // It has to be able to refuse.
        assert!(!age.decrypt(&identity(4), &sealed).status.success());
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(!age.decrypt(&identities[0], &altered).status.success());
    }
}

#[test]
fn seals_what_we_open() {
    let Some(age) = Age::from_environment() else {
        return;
    };
    let identities = [identity(1), identity(2), identity(3)];
    let all = recipients(&identities)
        .iter()
        .map(Recipient::to_string)
        .collect::<Vec<_>>();
    for size in SIZES {
        let plain = age.write("plain", content(size));
        let mut arguments = Vec::new();
        for recipient in &all {
            arguments.extend(["-r", recipient]);
        }
        arguments.push(text(&plain));
        let sealed = age.ok(&arguments);
        for one in &identities {
            let opened = open(&holding(std::slice::from_ref(one)), &sealed).unwrap();
            assert!(opened == content(size), "{size}");
        }
        open(&holding(&[identity(4)]), &sealed).unwrap_err();
    }
}

#[test]
fn keys_of_its_own() {
    let Some(age) = Age::from_environment() else {
        return;
    };
    let keygen = age.command.with_file_name("age-keygen");
    let made = age.run(&keygen, &[]).stdout;
    let identities = Identity::parse_file(&made).unwrap();
    let said = String::from_utf8(made).unwrap();
    let [identity] = &identities[..] else {
        panic!("{} identities", identities.len());
    };
    assert!(said.contains(&identity.recipient().to_string()));
    // The public half that it finds in a file of ours.
    let ours = crate::world::identity(77);
    let file = age.write("ours.txt", ours.to_file().as_bytes());
    let public = age.run(&keygen, &["-y", text(&file)]).stdout;
    assert_eq!(
        String::from_utf8(public).unwrap().trim(),
        ours.recipient().to_string()
    );
}

#[test]
fn other_recipients_of_its_own_are_refused() {
    let Some(age) = Age::from_environment() else {
        return;
    };
    let keygen = age.command.with_file_name("age-keygen");
    let made = String::from_utf8(age.run(&keygen, &["-pq"]).stdout).unwrap();
    let error = Identity::parse_file(made.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(error.contains("post-quantum"), "{error}");
    let secret = made.lines().last().unwrap();
    assert!(!error.contains(&secret[20..40]));
    let public = made
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "));
    let public = public.unwrap();
    let error = public.parse::<Recipient>().unwrap_err().to_string();
    assert!(error.contains("post-quantum"), "{error}");
    let plain = age.write("plain", "x");
    let sealed = age.ok(&["-r", public, text(&plain)]);
    let error = open(&holding(&[identity(1)]), &sealed).unwrap_err();
    assert!(error.to_string().contains("post-quantum"), "{error}");
    let armoured = age.ok(&[
        "-a",
        "-r",
        &identity(1).recipient().to_string(),
        text(&plain),
    ]);
    let error = open(&holding(&[identity(1)]), &armoured).unwrap_err();
    assert!(error.to_string().contains("armour"), "{error}");
}

#[test]
fn opens_key_files() {
    let Some(age) = Age::from_environment() else {
        return;
    };
    let (old, new) = (identity(1), identity(2));
    let sealed = seal_age(&content(100), std::slice::from_ref(&old));
    let mut keys = FileKeys::new(context());
    let held = Keyring::new().with_identities([old]);
    keys.add("payload/x.age", &sealed[..], &held).unwrap();
    let file = keys
        .seal(&recipients(std::slice::from_ref(&new)), &mut counting())
        .unwrap();
    let output = age.decrypt(&new, &file);
    assert!(output.status.success());
    let json = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        json,
        r#"{"context":{"run":"0199f0c2-7a51-7c3e-9d7e-000000000001","tenant":"acme"},"files":{"payload/x.age":"AAECAwQFBgcICQoLDA0ODw=="},"schema":"export-center/file-keys/v1"}"#
    );
}
