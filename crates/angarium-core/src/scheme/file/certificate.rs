//! The part of the grammar that describes what is fetched: certificates, and URLs that confirm.

use crate::declared::{Fault, Item, Read, Section, each, one_of, parsed, together};
use crate::scheme::certificate::{CertificateName, CertificateRule, UrlRule, Vouched};
use crate::scheme::origin::Origin;
use crate::scheme::url_pattern::UrlPattern;
use rustls_pki_types::ServerName;

const VOUCHED: &[(&str, Vouched)] = &[("roots", Vouched::ByRoots), ("host", Vouched::ByHost)];

pub(super) fn read_certificate(mut section: Section<'_>) -> Read<CertificateRule> {
    let url = read_url_rule(&mut section);
    let names = section.read("names", |item| some(item, CertificateName::parse));
    let vouched = section.read_optional("vouched", |item| one_of(&item, VOUCHED));
    let (url, names, vouched, ()) = together((url, names, vouched, section.finish()))?;
    Ok(CertificateRule { url, names, vouched: vouched.unwrap_or(Vouched::ByRoots) })
}

pub(super) fn read_url_rule(section: &mut Section<'_>) -> Read<UrlRule> {
    let from = section.read("from", |item| parsed(&item, Origin::parse));
    let forms = section.read("urls", |item| some(item, UrlPattern::parse));
    let (from, forms) = together((from, forms))?;
    Ok(UrlRule { from, forms })
}

/// A list of one text or more.
fn some<T>(item: Item<'_>, parse: impl Fn(&str) -> Result<T, Fault>) -> Read<Vec<T>> {
    let spot = item.spot();
    let list = each(item.list()?.iter().map(|item| parsed(item, &parse)))?;
    match list.is_empty() {
        true => Err(spot.error(Fault::from("at least one is needed").cured_by("add one"))),
        false => Ok(list),
    }
}

impl CertificateName {
    /// Reads a name of DNS, or `{host}`.
    fn parse(text: &str) -> Result<Self, Fault> {
        if text == "{host}" {
            return Ok(Self::Host);
        }
        let wrong = |_| Fault::from(format!("{text:?} is no name of a host"));
        let name = ServerName::try_from(text.to_owned()).map_err(wrong)?;
        Ok(Self::Name(name))
    }
}
