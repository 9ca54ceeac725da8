//! Those who take their time: sessions without a login, many of them, and wrong passwords.
