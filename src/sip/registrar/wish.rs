//! What a REGISTER asks for, read and checked before anything changes.

use super::binding::Binding;
use super::{Refused, Settings};
use crate::sip::message::{HeaderName, Message, NameAddr, Scheme, Uri};

/// Longest contact; a seat's memory is bounded by it.
const MAX_CONTACT_BYTES: usize = 1_024;
/// Proxies between a phone and us.
const MAX_PATH: usize = 8;

/// One contact of a REGISTER.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    /// Without `expires`.
    pub(super) address: NameAddr,
    /// Granted seconds; 0 takes the binding away.
    pub(super) expires_s: u32,
    pub(super) instance: Option<String>,
    pub(super) reg_id: Option<u32>,
}

/// How the request came.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// Route set of requests to the phone.
    pub(super) path: Vec<Uri>,
}

/// A REGISTER.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// `Contact: *`: all bindings go.
    is_star: bool,
    pub(super) contacts: Vec<Contact>,
    pub(super) path: Vec<NameAddr>,
    pub(super) route: Route,
}

impl Wish {
    pub(super) fn read(request: &Message, settings: &Settings) -> Result<Wish, Refused> {
        let path = request.path().map_err(|_| Refused::BadRequest("Malformed Path"))?;
        if path.len() > MAX_PATH {
            return Err(Refused::BadRequest("Path Too Long"));
        }
        let route = Route { path: path.iter().map(|p| p.uri.clone()).collect() };
        let is_star = request.contact_is_star();
        let contacts = if is_star {
            if request.expires() != Some(0) {
                return Err(Refused::BadRequest("Contact * Needs Expires 0"));
            }
            Vec::new()
        } else {
            contacts(request, settings)?
        };
        let wish = Wish { is_star, contacts, path, route };
        wish.check_outbound(request)?;
        Ok(wish)
    }

    /// Whether a binding is changed or taken away by this request.
    pub(super) fn touches(&self, binding: &Binding) -> bool {
        self.is_star || self.contacts.iter().any(|c| c.is_same_as(binding))
    }

    /// Whether an outbound flow was asked for.
    pub(super) fn is_outbound(&self) -> bool {
        self.contacts.iter().any(|c| c.reg_id.is_some())
    }

    /// RFC 5626 6: one flow a request, and through proxies only when the first one supports it.
    fn check_outbound(&self, request: &Message) -> Result<(), Refused> {
        let flows = self.contacts.iter().filter(|c| c.reg_id.is_some());
        if flows.clone().filter(|c| c.expires_s > 0).count() > 1 {
            return Err(Refused::BadRequest("More Than One Contact With reg-id"));
        }
        let is_direct = request.headers(HeaderName::Via).count() == 1;
        let has_outbound_proxy = self.route.path.last().is_some_and(|first| first.has_param("ob"));
        if flows.count() > 0 && !is_direct && !has_outbound_proxy {
            return Err(Refused::FirstHopLacksOutbound);
        }
        Ok(())
    }
}

impl Contact {
    /// The same binding: by device and flow number under outbound, by device alone when both know it (a phone that moved
    /// leaves no dead contact behind), else by URI (RFC 3261 10.3 step 7, RFC 5626 6).
    fn is_same_as(&self, binding: &Binding) -> bool {
        match (&self.instance, &binding.instance) {
            (Some(ours), Some(theirs)) => ours == theirs && self.reg_id == binding.reg_id,
            (Some(_) | None, Some(_) | None) => self.address.uri.equivalent(&binding.contact.uri),
        }
    }
}

fn contacts(request: &Message, settings: &Settings) -> Result<Vec<Contact>, Refused> {
    let addresses = request.contacts().map_err(|_| Refused::BadRequest("Malformed Contact"))?;
    if addresses.len() > settings.max_contacts {
        return Err(Refused::BadRequest("Too Many Contacts"));
    }
    let supports_outbound = request.has_token(HeaderName::Supported, "outbound");
    addresses.into_iter().map(|address| contact(address, request.expires(), supports_outbound, settings)).collect()
}

fn contact(
    mut address: NameAddr,
    header_expires: Option<u32>,
    supports_outbound: bool,
    settings: &Settings,
) -> Result<Contact, Refused> {
    match address.uri.scheme() {
        Scheme::Sip | Scheme::Sips => {}
        Scheme::Tel | Scheme::Other => return Err(Refused::BadRequest("Contact Must Be A SIP URI")),
    }
    if address.uri.as_str().len() + address.display.len() + address.params.to_string().len() > MAX_CONTACT_BYTES {
        return Err(Refused::BadRequest("Contact Too Long"));
    }
    let asked = address.expires().or(header_expires).unwrap_or(settings.default_expires_s);
    if asked > 0 && asked < settings.min_expires_s {
        return Err(Refused::TooBrief { min_expires_s: settings.min_expires_s });
    }
    let instance = address.params.text("+sip.instance").map(|i| i.into_owned()).filter(|i| !i.is_empty());
    let reg_id = address.params.get("reg-id").and_then(|n| n.parse::<u32>().ok()).filter(|n| *n > 0);
    let reg_id = reg_id.filter(|_| supports_outbound && instance.is_some());
    address.params.remove("expires");
    Ok(Contact { address, expires_s: asked.min(settings.max_expires_s), instance, reg_id })
}
