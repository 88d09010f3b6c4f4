//! How each language's programs are put beside a driver and run: one process for all cases.

use super::cases::Case;
use super::deliveries::Platforms;
use angarium_core::verification::{Language, Parameter, code, parameters};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The commands that a language needs.
fn commands(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => &["python3"],
        Language::JavaScript => &["node"],
        Language::Go => &["go"],
        Language::Java => &["javac", "java"],
        Language::Ruby => &["ruby"],
        Language::Php => &["php"],
        Language::CSharp => &["dotnet"],
        Language::Rust => &["cargo"],
    }
}

/// A language that can be run here.
pub(crate) struct Runtime {
    language: Language,
    folder: PathBuf,
}

impl Runtime {
    /// None where a command is missing.
    pub(crate) fn find(language: Language) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let there = |command: &&str| {
            std::env::split_paths(&path).any(|folder| folder.join(command).is_file())
        };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verification");
        let folder = folder.join(language.slug());
        commands(language).iter().all(there).then_some(Self { language, folder })
    }

    /// What the printed code answers to each case: `true`, `false`, or how it failed. Left out are
    /// the cases of contracts that have no code in this language.
    pub(crate) fn run<'a>(
        &self,
        platforms: &Platforms,
        cases: &'a [Case],
    ) -> Vec<(&'a Case, String)> {
        std::fs::create_dir_all(&self.folder).expect("a folder");
        let mut calls = Vec::new();
        for contract in platforms.contracts() {
            if let Some(code) = code(contract, self.language) {
                self.write_module(contract.name(), &code);
                calls.push((contract.name(), parameters(contract, self.language)));
            }
        }
        self.write_driver(&calls);
        let has_code = |case: &&Case| calls.iter().any(|(name, _)| *name == case.contract);
        let cases: Vec<&Case> = cases.iter().filter(has_code).collect();
        let arguments = |case: &Case| {
            let contract = platforms.contract(case.contract);
            let names = parameters(contract, self.language).into_iter().map(name);
            names.collect::<Vec<_>>().join(",")
        };
        let lines: String = cases.iter().map(|case| line(case, &arguments(case))).collect();
        std::fs::write(self.folder.join("cases.tsv"), lines).expect("the cases");
        let answers: Vec<String> = self.start().lines().map(str::to_owned).collect();
        assert_eq!(answers.len(), cases.len(), "{}: one answer a case", self.language.name());
        cases.into_iter().zip(answers).collect()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
            return; // so that nothing is compiled anew
        }
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        std::fs::write(path, text).expect("a file of the driver");
    }

    /// The code as it is printed; where all of it would have the same name, in a package of its
    /// own.
    fn write_module(&self, name: &str, code: &str) {
        match self.language {
            Language::Python | Language::JavaScript | Language::Ruby => {
                self.write(&format!("{name}.{}", self.language.extension()), code);
            }
            Language::Rust => self.write(&format!("src/{name}.rs"), code),
            Language::Go => self.write(&format!("{name}/webhooks.go"), code),
            Language::Java => {
                self.write(&format!("{name}/Webhooks.java"), &format!("package {name};\n\n{code}"));
            }
            Language::Php => {
                let code = code.replacen("namespace Webhooks;", &format!("namespace {name};"), 1);
                self.write(&format!("{name}.php"), &code);
            }
            Language::CSharp => {
                let at = code.find("// Verifies").expect("the first comment");
                let (usings, code) = code.split_at(at);
                let code = format!("{usings}namespace {name};\n\n{code}");
                self.write(&format!("{name}.cs"), &code);
            }
        }
    }

    fn write_driver(&self, calls: &[(&str, Vec<Parameter>)]) {
        let each = |print: &dyn Fn(&str, String) -> String| -> String {
            let call = |(name, parameters): &(&str, Vec<Parameter>)| {
                let given = |parameter: &Parameter| expression(self.language, *parameter);
                print(name, parameters.iter().map(given).collect::<Vec<_>>().join(", "))
            };
            calls.iter().map(call).collect()
        };
        match self.language {
            Language::Python => self.write("driver.py", include_str!("drivers/driver.py")),
            Language::JavaScript => self.write("driver.mjs", include_str!("drivers/driver.mjs")),
            Language::Ruby => self.write("driver.rb", include_str!("drivers/driver.rb")),
            Language::Php => self.write("driver.php", include_str!("drivers/driver.php")),
            Language::Go => {
                let imports = each(&|name, _| format!("{name} \"driver/{name}\"\n\t"));
                let calls = each(&|name, given| {
                    format!("case \"{name}\":\n\t\treturn fmt.Sprint({name}.Verify({given}))\n\t")
                });
                let driver = include_str!("drivers/main.go").replacen("// IMPORTS", &imports, 1);
                self.write("main.go", &driver.replacen("// CALLS", &calls, 1));
                self.write("go.mod", "module driver\n\ngo 1.19\n");
            }
            Language::Java => {
                let calls = each(&|name, given| {
                    format!("case \"{name}\" -> {name}.Webhooks.verify({given});\n            ")
                });
                let driver = include_str!("drivers/Main.java").replacen("// CALLS", &calls, 1);
                self.write("Main.java", &driver);
            }
            Language::CSharp => {
                let calls = each(&|name, given| {
                    format!("\"{name}\" => {name}.Webhooks.Verify({given}),\n        ")
                });
                let driver = include_str!("drivers/Program.cs").replacen("// CALLS", &calls, 1);
                self.write("Program.cs", &driver);
                self.write("driver.csproj", include_str!("drivers/driver.csproj"));
            }
            Language::Rust => {
                let modules = each(&|name, _| format!("mod {name};\n"));
                let calls = each(&|name, given| {
                    format!("\"{name}\" => {name}::verify({given}),\n        ")
                });
                let driver = include_str!("drivers/main.rs").replacen("// MODULES", &modules, 1);
                self.write("src/main.rs", &driver.replacen("// CALLS", &calls, 1));
                self.write("Cargo.toml", include_str!("drivers/Cargo.toml.txt"));
            }
        }
    }

    fn start(&self) -> String {
        let cases = "cases.tsv";
        match self.language {
            Language::Python => self.call("python3", &["driver.py", cases]),
            Language::JavaScript => self.call("node", &["driver.mjs", cases]),
            Language::Ruby => self.call("ruby", &["-W0", "driver.rb", cases]),
            Language::Php => self.call("php", &["driver.php", cases]),
            Language::Go => self.call("go", &["run", ".", cases]),
            Language::Java => {
                self.call("javac", &["-Werror", "-Xlint:all", "-d", "classes", "Main.java"]);
                self.call("java", &["-cp", "classes", "Main", cases])
            }
            Language::CSharp => self.call("dotnet", &["run", "--", cases]),
            Language::Rust => self.call("cargo", &["run", "--quiet", "--", cases]),
        }
    }

    fn call(&self, command: &str, arguments: &[&str]) -> String {
        let output = Command::new(command)
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("GOCACHE", self.folder.join("cache"))
            .env("GOPROXY", "off")
            .env("GOFLAGS", "-mod=mod")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{command}: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command} {arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("the driver's answers are text")
    }
}

/// A case as the drivers read it; what may be any bytes is in base64.
fn line(case: &Case, arguments: &str) -> String {
    let encode = |bytes: &[u8]| STANDARD.encode(bytes);
    let headers = case.headers.iter().map(|(name, value)| format!("{name}={}", encode(value)));
    let secrets = case.secrets.iter().map(|secret| encode(secret.as_bytes()));
    let fields = [
        case.contract.to_owned(),
        arguments.to_owned(),
        headers.collect::<Vec<_>>().join(","),
        case.method.to_owned(),
        encode(&case.body),
        encode(&case.query),
        encode(case.payload()),
        secrets.collect::<Vec<_>>().join(","),
        case.now.to_string(),
    ];
    fields.join("\t") + "\n"
}

fn name(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Headers => "headers",
        Parameter::Method => "method",
        Parameter::Body => "body",
        Parameter::Query => "query",
        Parameter::Payload => "payload",
        Parameter::Id => "id",
        Parameter::Secrets => "secrets",
        Parameter::Now => "now",
    }
}

/// How the driver has what a parameter takes, in the languages that are compiled.
fn expression(language: Language, parameter: Parameter) -> String {
    let field = match (language, parameter) {
        (Language::Rust, Parameter::Headers) => return "header".to_owned(),
        (Language::Rust, Parameter::Secrets) => return "&secrets".to_owned(),
        (Language::Rust, Parameter::Body | Parameter::Query | Parameter::Payload) => {
            return format!("&it.{}", name(parameter));
        }
        (_, Parameter::Headers) => "header",
        (_, other) => name(other),
    };
    match language {
        Language::Java => format!("it.{field}()"),
        Language::Python
        | Language::JavaScript
        | Language::Ruby
        | Language::Php
        | Language::Go
        | Language::CSharp
        | Language::Rust => format!("it.{field}"),
    }
}
