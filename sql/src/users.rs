//! Who may log in, to which databases, and whether they may store rows.
//!
//! A server without users lets everybody in as who they say they are. With users, a connection is
//! what its password proves, and reads the databases of its user and no others: what it asks for
//! only chooses among them.

use std::collections::HashMap;

use ring::digest;

use crate::error::SqlError;
use crate::scram::Verifier;

/// One who may log in.
#[derive(Clone, Debug)]
pub struct User {
    /// What the password is checked against.
    pub password: Verifier,
    /// Where it may connect to.
    pub databases: Databases,
    /// Whether it may store rows.
    pub writes: bool,
}

/// The databases of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Databases {
    /// All there are.
    Any,
    /// These; the first is for whoever names none.
    These(Vec<String>),
}

/// All users, by name.
#[derive(Clone, Debug)]
pub struct Users {
    by_name: HashMap<String, User>,
    /// What the verifiers of users that do not exist follow from. It stays the same while the users
    /// do, also over a restart, or one could tell who exists.
    secret: Vec<u8>,
    iterations: u32,
}

impl Users {
    /// These, and nobody else.
    pub fn new(by_name: HashMap<String, User>) -> Users {
        let mut names: Vec<&String> = by_name.keys().collect();
        names.sort();
        let mut secret = digest::Context::new(&digest::SHA256);
        names.iter().for_each(|name| secret.update(by_name[*name].password.secret()));
        let iterations = names.first().map_or(4096, |name| by_name[*name].password.iterations());
        Users { secret: secret.finish().as_ref().to_vec(), iterations, by_name }
    }

    /// The user of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&User> {
        self.by_name.get(name)
    }

    /// What to check a password against, whether the user exists or not.
    pub(crate) fn verifier(&self, name: &str) -> Verifier {
        let nobody = Verifier::of_nobody(&self.secret, name, self.iterations);
        self.get(name).map_or(nobody, |user| user.password.clone())
    }
}

impl User {
    /// The database it gets, having asked for that one. Clients that ask for none ask for one that
    /// is called as the user is.
    pub(crate) fn database(&self, name: &str, asked: &str) -> Result<String, SqlError> {
        let Databases::These(own) = &self.databases else { return Ok(asked.to_owned()) };
        if own.iter().any(|database| database == asked) {
            return Ok(asked.to_owned());
        }
        match own.first() {
            Some(first) if asked == name => Ok(first.clone()),
            // The same whether there is such a database or not.
            _ => {
                let text = format!("user \"{name}\" may not use database \"{asked}\"");
                Err(SqlError::new("42501", text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use postgres_protocol::password::scram_sha_256;

    use super::*;

    fn user(databases: Databases) -> User {
        let password = Verifier::parse(&scram_sha_256(b"x")).expect("a verifier");
        User { password, databases, writes: false }
    }

    #[test]
    fn databases() {
        let these = |names: &[&str]| {
            user(Databases::These(names.iter().map(|name| (*name).to_owned()).collect()))
        };
        let check = |user: User, asked: &str, expected: Result<&str, &str>| {
            let got = user.database("ann", asked);
            assert_eq!(got.as_deref().map_err(|error| error.code), expected, "{asked}");
        };
        check(these(&["a", "b"]), "b", Ok("b"));
        check(these(&["a", "b"]), "ann", Ok("a"));
        check(these(&["a", "ann"]), "ann", Ok("ann"));
        check(these(&["a"]), "c", Err("42501"));
        check(these(&[]), "ann", Err("42501"));
        check(user(Databases::Any), "c", Ok("c"));
    }

    #[test]
    fn nobody_is_like_everybody() {
        let one = HashMap::from([("ann".to_owned(), user(Databases::Any))]);
        let users = Users::new(one.clone());
        assert!(users.verifier("ann") == one["ann"].password);
        let nobody = users.verifier("bob");
        assert!(nobody == Users::new(one.clone()).verifier("bob"), "also after a restart");
        assert!(nobody.iterations() == one["ann"].password.iterations());
        assert!(nobody != Users::new(HashMap::new()).verifier("bob"));
    }
}
