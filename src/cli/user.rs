//! `yihao user`: accounts, from the machine on which the exchange runs.

use anyhow::Context;
use serde_json::{Value, json};

use super::client::{Answer, Exchange, Outcome, cell, escaped, finish, shown, table};

/// Shows and changes accounts.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao user list
  yihao user add wangfang --name 王芳 --role agent --number 1027 --seat 8001 --skill general=5
  yihao user change wangfang --role agent --role supervisor
  yihao user password wangfang

A password that add or password give is shown once and must be changed at the next sign-in.
Exit codes: 0 done, 1 refused, 2 the exchange cannot be reached.")]
pub struct Args {
    /// What is done.
    #[command(subcommand)]
    pub command: Command,
    /// Where the exchange is.
    #[command(flatten)]
    pub exchange: Exchange,
}

/// What is done.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Shows all accounts.
    List,
    /// Makes an account and prints its one-time password.
    Add {
        /// Name to sign in with.
        login: String,
        /// What it holds.
        #[command(flatten)]
        profile: Profile,
    },
    /// Changes what is named; the rest stays.
    Change {
        /// Whose.
        login: String,
        /// What it holds.
        #[command(flatten)]
        profile: Profile,
        /// Nobody may sign in with it any more.
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// It may be used again.
        #[arg(long)]
        enable: bool,
    },
    /// Gives a new one-time password and ends all sessions.
    Password {
        /// Whose.
        login: String,
    },
    /// Ends all sessions.
    SignOut {
        /// Whose.
        login: String,
    },
}

/// What an account holds.
#[derive(Clone, Debug, clap::Args)]
pub struct Profile {
    /// Name of the person.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// agent, expert, supervisor, operator, auditor or administrator; may be given again.
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// Agent number.
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<u32>,
    /// The seat that the person usually takes.
    #[arg(long, value_name = "SEAT")]
    pub seat: Option<u32>,
    /// A skill with its level, 1 to 9; may be given again.
    #[arg(long = "skill", value_name = "SKILL=LEVEL", value_parser = skill)]
    pub skills: Vec<(String, u8)>,
    /// A queue, first ones first; may be given again.
    #[arg(long = "queue", value_name = "QUEUE")]
    pub queues: Vec<String>,
    /// The confidentiality agreement was signed on paper today.
    #[arg(long)]
    pub confidential: bool,
}

fn skill(text: &str) -> Result<(String, u8), String> {
    let (skill, level) = text.split_once('=').ok_or("write SKILL=LEVEL, for example general=5")?;
    let level = level.parse().ok().filter(|level| (1..=9).contains(level)).ok_or("a level is 1 to 9")?;
    Ok((skill.to_owned(), level))
}

impl Profile {
    /// Puts what is named over what is there.
    fn put_over(&self, account: &mut Value) {
        let mut put = |key: &str, value: Value| account[key] = value;
        if let Some(name) = &self.name {
            put("name", json!(name));
        }
        if !self.roles.is_empty() {
            put("roles", json!(self.roles));
        }
        if let Some(number) = self.number {
            put("number", json!(number));
        }
        if let Some(seat) = self.seat {
            put("seat", json!(seat));
        }
        if !self.skills.is_empty() {
            put("skills", self.skills.iter().map(|(skill, level)| (skill.clone(), json!(level))).collect());
        }
        if !self.queues.is_empty() {
            put("queues", json!(self.queues));
        }
        if self.confidential {
            put("confidential_at", json!(jiff::Timestamp::now().as_millisecond()));
        }
    }
}

/// Runs the command and returns its exit code.
pub fn run(args: &Args) -> u8 {
    finish("user", ask(args))
}

fn ask(args: &Args) -> anyhow::Result<Outcome> {
    let (exchange, json) = (&args.exchange, args.exchange.json);
    match &args.command {
        Command::List => shown(Answer::Done(json!({"accounts": all(exchange)?})), json, accounts),
        Command::Add { login, profile } => {
            let mut body = json!({"login": login, "name": login});
            profile.put_over(&mut body);
            shown(exchange.ask("POST", "/api/v1/accounts", Some(&body))?, json, password)
        }
        Command::Change { login, profile, disable, enable } => {
            let account = find(exchange, login)?;
            let mut body = json!({});
            for key in ["name", "roles", "number", "seat", "skills", "queues", "confidential_at", "disabled"] {
                body[key] = account[key].clone();
            }
            profile.put_over(&mut body);
            if *disable || *enable {
                body["disabled"] = json!(disable);
            }
            let answer = exchange.ask("PUT", &path(&account, ""), Some(&body))?;
            shown(answer, json, |_: &Value| format!("{login}: changed\n"))
        }
        Command::Password { login } => {
            let account = find(exchange, login)?;
            shown(exchange.ask("POST", &path(&account, "/password"), None)?, json, password)
        }
        Command::SignOut { login } => {
            let account = find(exchange, login)?;
            let answer = exchange.ask("DELETE", &path(&account, "/sessions"), None)?;
            shown(answer, json, |_: &Value| format!("{login}: all sessions are ended\n"))
        }
    }
}

fn path(account: &Value, rest: &str) -> String {
    format!("/api/v1/accounts/{}{rest}", escaped(account["id"].as_str().unwrap_or_default()))
}

/// All accounts, page after page.
fn all(exchange: &Exchange) -> anyhow::Result<Vec<Value>> {
    let (mut accounts, mut after) = (Vec::new(), String::new());
    loop {
        let query = if after.is_empty() { String::new() } else { format!("&after={}", escaped(&after)) };
        match exchange.ask("GET", &format!("/api/v1/accounts?limit=500{query}"), None)? {
            Answer::Refused { message, .. } => anyhow::bail!(message),
            Answer::Done(page) => {
                accounts.extend(page["accounts"].as_array().cloned().unwrap_or_default());
                match page["next"].as_str() {
                    Some(next) => next.clone_into(&mut after),
                    None => return Ok(accounts),
                }
            }
        }
    }
}

fn find(exchange: &Exchange, login: &str) -> anyhow::Result<Value> {
    let same = |a: &Value| a["login"].as_str().is_some_and(|l| l.to_lowercase() == login.to_lowercase());
    let found = all(exchange)?.into_iter().find(same);
    found.with_context(|| format!("there is no account {login:?}; `yihao user list` shows all"))
}

fn accounts(answer: &Value) -> String {
    let all = answer["accounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let keys = ["login", "name", "roles", "number", "seat", "skills", "disabled"];
    let rows: Vec<Vec<String>> = all.iter().map(|a| keys.iter().map(|key| cell(&a[key])).collect()).collect();
    table(&["LOGIN", "NAME", "ROLES", "NUMBER", "SEAT", "SKILLS", "DISABLED"], &rows)
}

fn password(answer: &Value) -> String {
    format!("password {}, shown this once; it must be changed at the next sign-in\n", cell(&answer["password"]))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn arguments_are_sound_and_what_is_not_named_stays() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["user", "change", "wang", "--role", "agent", "--skill", "general=5"]).unwrap();
        let Command::Change { profile, .. } = cli.args.command else { panic!("change") };
        let mut account = json!({"name": "王芳", "roles": ["auditor"], "seat": 8001});
        profile.put_over(&mut account);
        let expected = json!({"name": "王芳", "roles": ["agent"], "seat": 8001, "skills": {"general": 5}});
        assert_eq!(account, expected);
        assert!(Cli::try_parse_from(["user", "add", "wang", "--skill", "general=10"]).is_err());
        assert!(Cli::try_parse_from(["user", "change", "wang", "--disable", "--enable"]).is_err());
    }
}
