//! Keys as text: what is read, what is refused, and that no secret is ever told.

use export_sealing::{Identity, KekFile, MAX_IDENTITIES, Recipient, RecipientError};

use crate::world::{from, identity};

/// The recipient of age's own README.
const README: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

#[test]
fn recipients_are_strings() {
    let recipient: Recipient = README.parse().unwrap();
    assert_eq!(recipient.to_string(), README);
    assert_eq!(format!("{recipient:?}"), format!("Recipient({README})"));
    let json = serde_json::to_string(&[&recipient]).unwrap();
    assert_eq!(json, format!("[{README:?}]"));
    assert_eq!(
        serde_json::from_str::<[Recipient; 1]>(&json).unwrap(),
        [recipient]
    );
    let error = serde_json::from_str::<Recipient>(r#""age1x""#).unwrap_err();
    assert!(
        error.to_string().contains("is not an age recipient"),
        "{error}"
    );
}

#[test]
fn what_is_no_recipient() {
    let wrong = |text: &str| text.parse::<Recipient>().unwrap_err();
    for (text, says) in [
        ("", "form of a key"),
        ("age1", "form of a key"),
        (&README[..61], "checksum"),
        (&README.replace('z', "2"), "checksum"),
        (&README.replace('z', "i"), "character that keys do not have"),
        (&README.replace('z', "Z"), "mixed"),
        (&README.to_uppercase(), "form of a key"),
        // 31 and 33 bytes.
        (
            "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqar9jk7",
            "checksum",
        ),
        (
            "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqar9jk6",
            "32 bytes",
        ),
        (
            "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzhlqeg",
            "32 bytes",
        ),
        ("ssh-ed25519 AAAA", "an SSH key"),
        (
            "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
            "a plugin's",
        ),
        ("age1pq1qqqq", "post-quantum"),
        ("é€é€é€é€", "form of a key"),
    ] {
        let error = wrong(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    let long = "age1".to_owned() + &"q".repeat(1 << 20);
    assert!(wrong(&long).to_string().len() < 300);
    let secret = identity(1).to_file().lines().last().unwrap().to_owned();
    assert_eq!(wrong(&secret), RecipientError::Secret);
    assert_eq!(wrong(&secret.to_lowercase()), RecipientError::Secret);
    assert!(!wrong(&secret).to_string().contains(&secret[16..]));
}

#[test]
fn points_of_low_order_are_no_recipients() {
    // 0 and 1, as age writes 32 bytes.
    for text in [
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
        "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
    ] {
        let error = text.parse::<Recipient>().unwrap_err().to_string();
        assert!(error.contains("low order"), "{error}");
    }
}

#[test]
fn files_of_identities() {
    let (one, two) = (identity(1), identity(2));
    let file = format!("\r\n# mine\r\n{}\n\n  {}", *one.to_file(), *two.to_file());
    let read = Identity::parse_file(file.as_bytes()).unwrap();
    let found: Vec<_> = read.iter().map(Identity::recipient).collect();
    assert_eq!(found, [one.recipient(), two.recipient()]);
}

#[test]
fn what_is_no_file_of_identities() {
    let secret = identity(1).to_file().lines().last().unwrap().to_owned();
    let most = format!("{secret}\n").repeat(MAX_IDENTITIES);
    assert_eq!(
        Identity::parse_file(most.as_bytes()).unwrap().len(),
        MAX_IDENTITIES
    );
    for (file, says) in [
        (String::new(), "no key in it"),
        ("# nothing\n\n".to_owned(), "no key in it"),
        (most.clone() + &secret, "more than 64 keys"),
        ("\n".repeat(65 * 1024), "at most 65536 are read"),
        (
            format!("# x\n{secret}x"),
            "line 2 is not an age identity: capital",
        ),
        (
            format!("{secret}A"),
            "line 1 is not an age identity: its checksum",
        ),
        (
            secret.to_lowercase(),
            "line 1 is not an age identity: it is not in the form",
        ),
        (
            secret.replace('1', "2"),
            "line 1 is not an age identity: it is not in the form",
        ),
        (
            format!("AGE-SECRET-KEY-PQ-1{}", &secret[16..]),
            "post-quantum",
        ),
        (format!("AGE-PLUGIN-X-1{}", &secret[16..]), "plugin"),
        (
            format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}"),
            "PEM block",
        ),
        (
            format!("age-encryption.org/v1\n{secret}"),
            "decrypt it first",
        ),
        (identity(1).recipient().to_string(), "is public"),
    ] {
        let error = Identity::parse_file(file.as_bytes()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(says), "{says}: {text}");
        assert!(!text.contains(&secret[20..40]), "{text}");
    }
    Identity::parse_file(b"\xff\xfe").unwrap_err();
}

#[test]
fn files_with_a_key_encryption_key() {
    let kek = KekFile::generate(&mut from(1)).unwrap();
    let file = kek.to_file();
    let secret = file.lines().last().unwrap();
    assert_eq!(*KekFile::parse(file.as_bytes()).unwrap().to_file(), *file);
    for (file, says) in [
        (String::new(), "no key in it"),
        (format!("{secret}\n{secret}"), "more than 1 keys"),
        (
            format!("{}X", &secret[..secret.len() - 1]),
            "line 1: its checksum",
        ),
        (secret.to_lowercase(), "line 1: it is not in the form"),
        (
            identity(1).to_file().to_string(),
            "line 2: it is not in the form",
        ),
    ] {
        let error = KekFile::parse(file.as_bytes()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(says), "{says}: {text}");
        assert!(!text.contains(&secret[20..40]), "{text}");
    }
}

#[test]
fn debug_forms_hold_no_secret() {
    let one = identity(1);
    let kek = KekFile::generate(&mut from(1)).unwrap();
    let key = crate::world::data_key();
    let text = format!("{one:?} {kek:?} {key:?}");
    for secret in [one.to_file(), kek.to_file()] {
        assert!(!text.contains(&secret.lines().last().unwrap()[20..40]));
    }
    assert!(!text.contains(&hex::encode(&key.bytes()[..4])), "{text}");
    assert!(text.contains("secret half of age1"), "{text}");
}
