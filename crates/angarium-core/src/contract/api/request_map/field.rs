//! What a request can set: a closed set, each under one name.

/// Something that a request can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Where deliveries go.
    Url,
    /// Types that are asked for.
    Types,
    /// Subjects that are asked for.
    Subjects,
    /// The endpoint's name.
    Name,
    /// The endpoint's description.
    Description,
    /// Whether it is switched on.
    Active,
    /// Its status.
    Status,
    /// A secret that was made elsewhere.
    Secret,
    /// The endpoint that a test goes to.
    EndpointId,
    /// The type of a test event.
    EventType,
    /// The data of a test event.
    EventData,
    /// Where a source forwards what it accepts.
    SourceUrl,
    /// The types that become events.
    SourceTypes,
    /// The source's name.
    SourceName,
    /// How its third party signs.
    SourceScheme,
    /// The source's description.
    SourceDescription,
    /// Whether it takes anything in.
    SourceActive,
    /// Its status.
    SourceStatus,
    /// The source that is meant.
    SourceId,
    /// The body of a request that a source received.
    ReceivedBody,
    /// Its signature, where the scheme has it.
    ReceivedSignature,
    /// Its headers.
    ReceivedHeaders,
}

/// What JSON a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// Texts by name.
    NamedTexts,
    /// True or false.
    Truth,
    /// Any value.
    Any,
}

impl Field {
    const NAMES: &[(&str, Field)] = &[
        ("endpoint.url", Field::Url),
        ("endpoint.types", Field::Types),
        ("endpoint.subjects", Field::Subjects),
        ("endpoint.name", Field::Name),
        ("endpoint.description", Field::Description),
        ("endpoint.active", Field::Active),
        ("endpoint.status", Field::Status),
        ("secret", Field::Secret),
        ("endpoint.id", Field::EndpointId),
        ("event.type", Field::EventType),
        ("event.data", Field::EventData),
        ("source.url", Field::SourceUrl),
        ("source.types", Field::SourceTypes),
        ("source.name", Field::SourceName),
        ("source.scheme", Field::SourceScheme),
        ("source.description", Field::SourceDescription),
        ("source.active", Field::SourceActive),
        ("source.status", Field::SourceStatus),
        ("source.id", Field::SourceId),
        ("received.body", Field::ReceivedBody),
        ("received.signature", Field::ReceivedSignature),
        ("received.headers", Field::ReceivedHeaders),
    ];

    /// As a contract writes it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }

    /// The member of the native API's body, by which a refusal names it.
    pub(super) fn native(self) -> &'static str {
        match self {
            Field::Active | Field::SourceActive => "status",
            Field::SourceUrl => "forward_url",
            other => {
                let name = other.name();
                name.rsplit_once('.').map_or(name, |(_, member)| member)
            }
        }
    }

    /// What JSON it takes.
    pub fn kind(self) -> FieldKind {
        match self {
            Field::Types | Field::Subjects | Field::SourceTypes => FieldKind::Texts,
            Field::Active | Field::SourceActive => FieldKind::Truth,
            Field::EventData => FieldKind::Any,
            Field::ReceivedHeaders => FieldKind::NamedTexts,
            Field::Url
            | Field::Name
            | Field::Description
            | Field::Status
            | Field::Secret
            | Field::EndpointId
            | Field::EventType
            | Field::SourceUrl
            | Field::SourceName
            | Field::SourceScheme
            | Field::SourceDescription
            | Field::SourceStatus
            | Field::SourceId
            | Field::ReceivedBody
            | Field::ReceivedSignature => FieldKind::Text,
        }
    }
}
