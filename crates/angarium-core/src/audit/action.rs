//! What can be done: the words of the log, where a contract has one the same as it uses.

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name is what is done to what")]
pub enum Action {
    EnvironmentCreate,
    EnvironmentUpdate,
    EnvironmentDelete,
    KeyCreate,
    KeyRevoke,
    TenantCreate,
    TenantUpdate,
    TenantDelete,
    TenantRecover,
    TenantErase,
    EndpointCreate,
    EndpointUpdate,
    EndpointEnable,
    EndpointDisable,
    EndpointPause,
    EndpointResume,
    EndpointRotate,
    EndpointRecover,
    EndpointDelete,
    KeysCreate,
    KeysRotate,
    EventTypePut,
    SourceCreate,
    SourceUpdate,
    SourceRotate,
    SourceDelete,
    EventReplay,
    EventErase,
    DeliveryRetry,
    DeliveryCancel,
    DeliverySkip,
    JobCancel,
    EncryptionRotateMaster,
    EncryptionRotateData,
}

impl Action {
    /// Each with its name: the kind of the object, a dot, and what is done. `keys` are a tenant's
    /// signing keys under a contract, whose name is their id; `key` is an API key.
    pub const NAMES: &[(&str, Action)] = &[
        ("environment.create", Action::EnvironmentCreate),
        ("environment.update", Action::EnvironmentUpdate),
        ("environment.delete", Action::EnvironmentDelete),
        ("key.create", Action::KeyCreate),
        ("key.revoke", Action::KeyRevoke),
        ("tenant.create", Action::TenantCreate),
        ("tenant.update", Action::TenantUpdate),
        ("tenant.delete", Action::TenantDelete),
        ("tenant.recover", Action::TenantRecover),
        ("tenant.erase", Action::TenantErase),
        ("endpoint.create", Action::EndpointCreate),
        ("endpoint.update", Action::EndpointUpdate),
        ("endpoint.enable", Action::EndpointEnable),
        ("endpoint.disable", Action::EndpointDisable),
        ("endpoint.pause", Action::EndpointPause),
        ("endpoint.resume", Action::EndpointResume),
        ("endpoint.rotate", Action::EndpointRotate),
        ("endpoint.recover", Action::EndpointRecover),
        ("endpoint.delete", Action::EndpointDelete),
        ("keys.create", Action::KeysCreate),
        ("keys.rotate", Action::KeysRotate),
        ("event_type.put", Action::EventTypePut),
        ("source.create", Action::SourceCreate),
        ("source.update", Action::SourceUpdate),
        ("source.rotate", Action::SourceRotate),
        ("source.delete", Action::SourceDelete),
        ("event.replay", Action::EventReplay),
        ("event.erase", Action::EventErase),
        ("delivery.retry", Action::DeliveryRetry),
        ("delivery.cancel", Action::DeliveryCancel),
        ("delivery.skip", Action::DeliverySkip),
        ("job.cancel", Action::JobCancel),
        ("encryption.rotate_master", Action::EncryptionRotateMaster),
        ("encryption.rotate_data", Action::EncryptionRotateData),
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, action)| *action == self);
        found.map_or("", |(name, _)| name)
    }

    /// From its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, action)| *action)
    }

    /// Whether it puts something in the place of what is there.
    pub(super) const fn is_update(self) -> bool {
        matches!(
            self,
            Action::EnvironmentUpdate
                | Action::TenantUpdate
                | Action::EndpointUpdate
                | Action::EventTypePut
                | Action::SourceUpdate
        )
    }

    /// What kind of object it is done to.
    pub fn object_kind(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::api::{Access, Operation};

    #[test]
    fn every_action_has_one_name_that_reads_back() {
        for (name, action) in Action::NAMES {
            assert_eq!((action.as_str(), Action::parse(name)), (*name, Some(*action)));
        }
        assert_eq!(Action::EndpointRotate.object_kind(), "endpoint");
    }

    #[test]
    fn what_a_contracts_call_changes_is_called_as_the_contract_calls_it() {
        // A test publishes an event, and a verdict changes nothing.
        let changes_nothing = ["endpoint.test", "source.test", "source.verify"];
        for (name, operation) in Operation::NAMES {
            let changes = operation.bounds().access == Access::Changes;
            let is_audited = changes && !changes_nothing.contains(name);
            assert_eq!(Action::parse(name).is_some(), is_audited, "{name}");
        }
    }
}
