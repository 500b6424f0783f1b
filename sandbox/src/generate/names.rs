//! The words that organizations are made of.
//!
//! The odd ones come first in every organization, because names as people really write them are what breaks
//! programs.

/// A person who is in every organization that is large enough.
pub(crate) struct Odd {
    pub(crate) user_name: &'static str,
    pub(crate) given: &'static str,
    pub(crate) family: &'static str,
    pub(crate) display: &'static str,
    /// The part of the address before the `@`; empty for a person without name and address, as some provisioning makes.
    pub(crate) mailbox: &'static str,
}

const fn odd(
    user_name: &'static str,
    given: &'static str,
    family: &'static str,
    display: &'static str,
    mailbox: &'static str,
) -> Odd {
    Odd { user_name, given, family, display, mailbox }
}

/// Accents, quotes, commas, formulas, control characters, other scripts, wildcards, colons, and one name for two.
pub(crate) const ODD_PEOPLE: &[Odd] = &[
    odd("zoë.müller", "Zoë", "Müller-Ångström", "Zoë Müller-Ångström", "zoe.mueller"),
    odd("siobhan.oneill", "Siobhán", "O'Neill", "Siobhán \"Vonnie\" O'Neill", "siobhan.o'neill"),
    odd("john.smith", "John", "Smith", "Smith, John (External)", "john.smith"),
    odd("formula", "=cmd|' /C calc'!A0", "Formula", "=cmd|' /C calc'!A0", "formula"),
    odd("escape", "Eve", "Escape", "Eve \u{1b}[31mEscape\u{1b}[0m", "escape"),
    odd("alex.kim", "Alex", "Kim", "Alex Kim", "alex.kim"),
    odd("alex.kim.contractor", "Alex", "Kim", "Alex Kim", "alex.kim.contractor"),
    odd("山田.太郎", "太郎", "山田", "山田 太郎", "taro.yamada"),
    odd("maryam", "مريم", "الفاسي", "مريم الفاسي", "maryam"),
    odd("svc:backup%nightly", "Backup", "Service", "svc:backup%nightly", "svc-backup"),
    odd("glob*[a-z]?", "Glob", "Star", "glob*[a-z]? <b>&amp;</b>", "glob"),
    odd("Karin.Åkesson@example.com", "Karin", "Åkesson", "Karin 👩‍🚀 Åkesson", "Karin.Akesson"),
    odd("legacy-sync-0001", "", "", "legacy-sync-0001", ""),
    odd("null", "Null", "Null", "null", "null"),
];

/// Given names.
pub(crate) const GIVEN: &[&str] = &[
    "Ada", "Agnes", "Ahmed", "Aisha", "Akira", "Alice", "Amara", "Andre", "Anna", "Arjun", "Bao", "Beatriz", "Bruno",
    "Carla", "Chen", "Chloe", "Daniel", "Dara", "Deniz", "Diego", "Elena", "Emeka", "Emil", "Erik", "Fatima", "Felix",
    "Freya", "Gabriel", "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jamal", "Jana", "Jonas", "Julia", "Kavya", "Kenji",
    "Lars", "Leila", "Liam", "Lucia", "Magda", "Malik", "Marta", "Mei", "Milan", "Nadia", "Naomi", "Noah", "Olga",
    "Omar", "Petra", "Priya", "Rafael", "Rosa", "Samir", "Sofia", "Tariq", "Tomas", "Uma", "Viktor", "Yara",
];

/// Family names.
pub(crate) const FAMILY: &[&str] = &[
    "Abe",
    "Adeyemi",
    "Ali",
    "Almeida",
    "Andersson",
    "Bauer",
    "Becker",
    "Bianchi",
    "Brown",
    "Castillo",
    "Chen",
    "Cohen",
    "Costa",
    "Diaz",
    "Dubois",
    "Eriksen",
    "Evans",
    "Fernandez",
    "Fischer",
    "Garcia",
    "Gupta",
    "Haddad",
    "Hansen",
    "Hoffmann",
    "Ibrahim",
    "Ito",
    "Ivanov",
    "Jansen",
    "Jensen",
    "Johnson",
    "Kaya",
    "Khan",
    "Kim",
    "Kowalski",
    "Kumar",
    "Larsen",
    "Lee",
    "Lopez",
    "Martin",
    "Mensah",
    "Meyer",
    "Moreau",
    "Nakamura",
    "Nguyen",
    "Novak",
    "Okafor",
    "Olsen",
    "Park",
    "Patel",
    "Pereira",
    "Petrov",
    "Rossi",
    "Santos",
    "Sato",
    "Schmidt",
    "Silva",
    "Singh",
    "Suzuki",
    "Tanaka",
    "Vargas",
    "Wagner",
    "Williams",
    "Yilmaz",
    "Zhang",
];

/// Titles of people.
pub(crate) const TITLES: &[&str] =
    &["Engineer", "Senior Engineer", "Analyst", "Product Manager", "Site Reliability Engineer", "Accountant"];

/// Teams, for groups, accounts and units.
pub(crate) const TEAMS: &[&str] = &[
    "Payments",
    "Platform",
    "Search",
    "Identity",
    "Billing",
    "Logistics",
    "Mobile",
    "Data",
    "Risk",
    "Growth",
    "Storefront",
    "Fraud",
    "Ledger",
    "Messaging",
    "Reporting",
    "Catalogue",
];

/// What a team's group is for.
pub(crate) const DUTIES: &[&str] = &["Engineers", "Readers", "Admins", "On-call"];

/// Groups whose names need care.
pub(crate) const ODD_GROUPS: &[&str] = &["R&D <beta>, \"north\"", "=SUM(A1:A9)", "Qualität & Prüfung"];

/// Accounts that every organization has, after the management account.
pub(crate) const CORE_ACCOUNTS: &[&str] =
    &["log-archive", "audit", "network", "shared-services", "Acme, \"Legacy\" & Söhne"];

/// What a team's account is for.
pub(crate) const STAGES: &[&str] = &["prod", "staging", "dev"];

/// Permission sets that every organization has, and AWS's policy behind each.
pub(crate) const PERMISSION_SETS: &[(&str, &str)] = &[
    ("AdministratorAccess", "AdministratorAccess"),
    ("PowerUserAccess", "PowerUserAccess"),
    ("ReadOnlyAccess", "ReadOnlyAccess"),
    ("Billing", "job-function/Billing"),
    ("SecurityAudit", "SecurityAudit"),
    ("DatabaseAdministrator", "job-function/DatabaseAdministrator"),
    ("NetworkAdministrator", "job-function/NetworkAdministrator"),
    ("SupportUser", "job-function/SupportUser"),
];

/// Further policies of AWS's, attached here and there.
pub(crate) const MORE_POLICIES: &[(&str, &str)] = &[
    ("AmazonS3ReadOnlyAccess", "AmazonS3ReadOnlyAccess"),
    ("CloudWatchReadOnlyAccess", "CloudWatchReadOnlyAccess"),
    ("AWSCloudTrail_ReadOnlyAccess", "AWSCloudTrail_ReadOnlyAccess"),
    ("AmazonEC2ReadOnlyAccess", "AmazonEC2ReadOnlyAccess"),
];
