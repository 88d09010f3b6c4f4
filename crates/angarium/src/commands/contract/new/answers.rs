//! The answers from which a contract is started; each has a default that may follow from others.

/// What has been answered so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    pub(super) name: Option<String>,
    pub(super) title: Option<String>,
    pub(super) events: Vec<String>,
    pub(super) signature: Signature,
    pub(super) header: Option<String>,
    pub(super) content: Option<String>,
    pub(super) retries: Retries,
    pub(super) keys: Keys,
    pub(super) api: Api,
}

/// How deliveries are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Signature {
    /// As Standard Webhooks says.
    #[default]
    Standard,
    /// HMAC-SHA256 in hex, in a header of the platform's own.
    HmacHex,
    /// Not at all.
    None,
}

/// When a failed delivery is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Retries {
    /// With growing waits, for a day.
    #[default]
    Growing,
    /// After these waits.
    Waits(Vec<String>),
}

/// Who has the key that signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Keys {
    /// Each endpoint its own.
    #[default]
    Endpoint,
    /// A tenant's endpoints share one.
    Tenant,
}

/// How customers manage their endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Api {
    /// Not by themselves.
    #[default]
    None,
    /// With `Authorization: Bearer KEY`.
    Bearer,
    /// With `X-API-Key: KEY`.
    OwnHeader,
}

impl Signature {
    pub(super) const NAMES: &[(&str, Signature)] = &[
        ("standard", Signature::Standard),
        ("hmac-hex", Signature::HmacHex),
        ("none", Signature::None),
    ];
}

impl Keys {
    pub(super) const NAMES: &[(&str, Keys)] =
        &[("endpoint", Keys::Endpoint), ("tenant", Keys::Tenant)];
}

impl Api {
    pub(super) const NAMES: &[(&str, Api)] =
        &[("none", Api::None), ("bearer", Api::Bearer), ("x-api-key", Api::OwnHeader)];
}

impl Answers {
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("my-platform")
    }

    pub(super) fn title(&self) -> String {
        self.title.clone().unwrap_or_else(|| capitals(self.name(), " "))
    }

    pub(super) fn events(&self) -> Vec<&str> {
        match self.events.is_empty() {
            true => vec!["order.paid"],
            false => self.events.iter().map(String::as_str).collect(),
        }
    }

    pub(super) fn header(&self) -> String {
        let default = || format!("X-{}-Signature", capitals(self.name(), "-"));
        self.header.clone().unwrap_or_else(default)
    }

    /// The header of the timestamp, which stands beside that of the signature.
    pub(super) fn time_header(&self) -> String {
        let header = self.header();
        let stem = header.strip_suffix("-Signature").unwrap_or(&header);
        format!("{stem}-Timestamp")
    }

    pub(super) fn content(&self) -> &str {
        self.content.as_deref().unwrap_or("{timestamp}.{body}")
    }
}

/// `my-platform` as `My Platform`.
fn capitals(name: &str, between: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    };
    name.split('-').map(word).collect::<Vec<String>>().join(between)
}
