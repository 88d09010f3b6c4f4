//! The printed verification code does what it says: real deliveries, taken off the wire, are shown
//! to the programs of every language whose runtime is on the machine, and so is everything that an
//! attacker might make of them.

mod cases;
mod deliveries;
mod languages;

use crate::support::figure;
use angarium_core::verification::Language;
use cases::Case;
use deliveries::Platforms;
use languages::Runtime;

#[test]
fn printed_code_accepts_every_delivery_and_nothing_else() {
    let platforms = Platforms::of_the_test();
    let deliveries = platforms.deliver();
    let cases: Vec<Case> = deliveries.iter().flat_map(cases::of).collect();
    assert!(cases.iter().filter(|case| case.genuine).count() >= deliveries.len());
    let (mut ran, mut asked, mut wrong) = (Vec::new(), 0, Vec::new());
    for language in Language::ALL {
        let Some(runtime) = Runtime::find(language) else {
            println!("{}: not on this machine", language.name());
            continue;
        };
        let answers = runtime.run(&platforms, &cases);
        for (case, answer) in &answers {
            if *answer != case.genuine.to_string() {
                wrong.push(format!("{} {case}: {answer}", language.name()));
            }
        }
        asked += answers.len();
        ran.push(format!("{} {}", language.name(), answers.len()));
    }
    let contracts = platforms.contracts().count();
    figure(format_args!(
        "{contracts} contracts, {} deliveries, {} cases; {} languages, {asked} answers ({}): {} \
         wrong",
        deliveries.len(),
        cases.len(),
        ran.len(),
        ran.join(", "),
        wrong.len()
    ));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ran.iter().any(|ran| ran.starts_with("Python")), "the tests need Python");
}
