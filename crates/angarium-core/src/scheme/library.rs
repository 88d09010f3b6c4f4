//! The schemes of a server: the built-in ones, and those that an operator adds.

use super::Scheme;
use crate::declared::Mistakes;
use std::collections::BTreeMap;
use std::sync::Arc;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        /// The files at the repository's root.
        pub(super) const BUILT_IN: &[(&str, &str)] = &[$((
            concat!("schemes/", $name, ".toml"),
            include_str!(concat!("../../../../schemes/", $name, ".toml")),
        )),*];
    };
}

built_in![
    "adyen",
    "adyen-platform",
    "asana",
    "aws-sns",
    "bitbucket",
    "calendly",
    "chargebee",
    "chargify",
    "cloudevents",
    "cursor",
    "discord",
    "docusign",
    "dropbox",
    "ebay",
    "elevenlabs",
    "event-grid",
    "github",
    "gitlab",
    "hubspot",
    "intercom",
    "linear",
    "mailgun",
    "meta",
    "microsoft-graph",
    "monday",
    "okta",
    "paddle",
    "paypal",
    "plaid",
    "postmark",
    "razorpay",
    "sendgrid",
    "sentry",
    "shopify",
    "slack",
    "square",
    "standard",
    "stripe",
    "svix",
    "telnyx",
    "trello",
    "twilio",
    "twilio-json",
    "twitch",
    "twitter",
    "typeform",
    "vercel",
    "webflow",
    "websub",
    "woocommerce",
    "xero",
    "zoom",
];

/// Schemes by name.
#[derive(Debug, Clone, Default)]
pub struct SchemeLibrary {
    schemes: BTreeMap<String, Arc<Scheme>>,
}

impl SchemeLibrary {
    /// The built-in schemes.
    ///
    /// # Errors
    /// What is wrong with one; a test reads them all.
    pub fn built_in() -> Result<Self, Mistakes> {
        let mut library = Self::default();
        for (file, text) in BUILT_IN {
            library.add(file, text)?;
        }
        Ok(library)
    }

    /// Adds a scheme; one of the same name is replaced.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn add(&mut self, file: &str, text: &str) -> Result<Arc<Scheme>, Mistakes> {
        let scheme = Arc::new(Scheme::parse(file, text)?);
        self.schemes.insert(scheme.name().to_owned(), Arc::clone(&scheme));
        Ok(scheme)
    }

    /// The scheme of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Scheme>> {
        self.schemes.get(name)
    }

    /// Every scheme, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Scheme>> {
        self.schemes.values()
    }
}
