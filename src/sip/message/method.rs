//! Request methods. Names are case-sensitive (RFC 3261 7.1).

use std::fmt;

use super::scan;

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// A request method.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $($(#[$doc])* $variant,)*
            /// A method we have no name for.
            Other(Box<str>),
        }

        impl Method {
            /// Every method we have a name for.
            pub const KNOWN: &[Method] = &[$(Method::$variant),*];

            /// The name on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(name) => name,
                }
            }

            /// Reads a name; `None` when it is no token.
            pub fn parse(text: &str) -> Option<Self> {
                Self::from_bytes(text.as_bytes())
            }

            pub(crate) fn from_bytes(name: &[u8]) -> Option<Self> {
                $(if name == $text.as_bytes() {
                    return Some(Self::$variant);
                })*
                if name.is_empty() || !name.iter().all(|&b| scan::is_token(b)) {
                    return None;
                }
                str::from_utf8(name).ok().map(|name| Self::Other(name.into()))
            }
        }
    };
}

methods! {
    /// Starts or changes a call (RFC 3261 13, 14).
    Invite = "INVITE",
    /// Confirms the final response to an INVITE (RFC 3261 13.2.2.4, 17.1.1.3).
    Ack = "ACK",
    /// Ends a call (RFC 3261 15).
    Bye = "BYE",
    /// Withdraws a request (RFC 3261 9).
    Cancel = "CANCEL",
    /// Asks for capabilities; also a keep-alive (RFC 3261 11).
    Options = "OPTIONS",
    /// Tells where a user can be reached (RFC 3261 10).
    Register = "REGISTER",
    /// Confirms a reliable provisional response (RFC 3262).
    Prack = "PRACK",
    /// Changes a session without touching the dialog (RFC 3311).
    Update = "UPDATE",
    /// Carries mid-call information such as digits (RFC 6086).
    Info = "INFO",
    /// Asks the receiver to call somebody (RFC 3515).
    Refer = "REFER",
    /// Reports an event (RFC 6665).
    Notify = "NOTIFY",
    /// Asks for reports (RFC 6665).
    Subscribe = "SUBSCRIBE",
    /// Instant message (RFC 3428).
    Message = "MESSAGE",
    /// Publishes event state (RFC 3903).
    Publish = "PUBLISH",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_sensitive_and_extensions_survive() {
        assert_eq!(Method::parse("INVITE"), Some(Method::Invite));
        assert_eq!(Method::parse("invite"), Some(Method::Other("invite".into())));
        assert_eq!(Method::parse("NEW METHOD"), None);
        for method in Method::KNOWN {
            assert_eq!(Method::parse(method.as_str()).as_ref(), Some(method));
        }
    }
}
