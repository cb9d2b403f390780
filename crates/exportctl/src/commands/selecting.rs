//! Selectors from the flags of a command.

use export_model::{ErrorCode, FieldError, RecordedWindow, Selectors, Timestamp};

use super::request;
use crate::cli::SelectorArgs;
use crate::failure::Failed;

/// What the flags select, or the file that stands in their place.
pub(super) fn selectors(args: &SelectorArgs) -> Result<Selectors, Failed> {
    if let Some(file) = &args.selectors {
        return request(file, "set of selectors");
    }
    let list = |values: &[String]| (!values.is_empty()).then(|| values.to_vec());
    let exclude: Vec<Selectors> = [
        Selectors {
            kinds: list(&args.exclude_kinds),
            ..Selectors::default()
        },
        Selectors {
            ecosystems: list(&args.exclude_ecosystems),
            ..Selectors::default()
        },
        Selectors {
            products: list(&args.exclude_products),
            ..Selectors::default()
        },
        Selectors {
            sbom_subjects: list(&args.exclude_sbom_subjects),
            ..Selectors::default()
        },
        Selectors {
            identifiers: list(&args.exclude_identifiers),
            ..Selectors::default()
        },
        Selectors {
            sources: list(&args.exclude_sources),
            ..Selectors::default()
        },
    ]
    .into_iter()
    .filter(|set| *set != Selectors::default())
    .collect();
    let from = time("--recorded-from", args.recorded_from.as_deref())?;
    let to = time("--recorded-to", args.recorded_to.as_deref())?;
    Ok(Selectors {
        kinds: list(&args.kinds),
        ecosystems: list(&args.ecosystems),
        products: list(&args.products),
        sbom_subjects: list(&args.sbom_subjects),
        identifiers: list(&args.identifiers),
        sources: list(&args.sources),
        recorded: (from.is_some() || to.is_some()).then_some(RecordedWindow { from, to }),
        include: None,
        exclude: (!exclude.is_empty()).then_some(exclude),
        tenants: None,
    })
}

/// A time that a flag names.
pub(super) fn time(flag: &str, text: Option<&str>) -> Result<Option<Timestamp>, Failed> {
    text.map(str::parse)
        .transpose()
        .map_err(|e: export_model::TimestampError| invalid(flag, e.to_string()))
}

/// A flag with a wrong value.
pub(super) fn invalid(flag: &str, message: String) -> Failed {
    Failed {
        code: ErrorCode::InvalidRequest,
        detail: format!("{flag}: {message}"),
        fields: vec![FieldError {
            field: flag.to_owned(),
            message,
        }],
    }
}
