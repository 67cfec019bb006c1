//! Finds the commands in documents and in `--help`.

/// A command line in a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// To be run.
    Line(String),
    /// The name of a command in prose: `cvae-gpu data pack`.
    Name(String),
    /// A shell variable that later lines use.
    Variable(String),
}

/// The commands of a Markdown document, in its order.
pub fn of_document(text: &str) -> Vec<Command> {
    let mut found = Vec::new();
    for (i, part) in text.split("```").enumerate() {
        if i % 2 == 0 {
            found.extend(in_prose(part));
        } else if let Some(block) = part.strip_prefix("sh\n") {
            found.extend(block.lines().filter_map(of_line));
        }
    }
    found
}

/// The commands of a help text: its examples, and those that its prose names.
pub fn of_help(text: &str) -> Vec<Command> {
    let (prose, rest) = text.split_once("\nExample").unwrap_or((text, ""));
    let (examples, notes) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let mut found: Vec<Command> = (examples.lines().skip(1))
        // A remark follows two spaces.
        .map(|line| line.trim().split("  ").next().unwrap_or_default())
        .map(|line| Command::Line(line.into()))
        .collect();
    let remarks = examples.lines().flat_map(in_prose);
    found.extend(in_prose(prose).into_iter().chain(remarks));
    found.extend(in_prose(notes));
    found
}

/// A shell line of this program, without a remark at its end.
fn of_line(line: &str) -> Option<Command> {
    let line = line.split(" #").next().unwrap_or_default().trim();
    let (name, _) = line.split_once('=').unwrap_or((" ", ""));
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase()) && !line.contains(' ') {
        return Some(Command::Variable(line.into()));
    }
    let ours = |word| word == "cvae-gpu" || word == "jq";
    let is_ours = line.split_whitespace().any(ours) && !line.starts_with("cargo");
    is_ours.then(|| Command::Line(line.into()))
}

/// The text in backquotes that begins with the name of the program.
fn in_prose(text: &str) -> Vec<Command> {
    let quoted = text.split('`').skip(1).step_by(2);
    let words = quoted.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "));
    let is_name = |span: &str| {
        let letter = |c: char| c.is_ascii_lowercase() || c == '-';
        let mut words = span.split(' ');
        words.all(|word| word.chars().all(letter) && !word.starts_with('-'))
    };
    words
        .filter(|span| span.starts_with("cvae-gpu "))
        .map(|span| match is_name(&span) {
            true => Command::Name(span),
            false => Command::Line(span),
        })
        .collect()
}

#[test]
fn commands_are_found_in_blocks_and_in_prose() {
    let text = "Run `cvae-gpu plan\n--gpu` or `cvae-gpu data pack`, not `make`.\n```sh\nM=runs/a\n\
        make train\nfor s in 1 2; do cvae-gpu train; done # twice\n```\n```\ncvae-gpu says\n```\n";
    let expected = [
        Command::Line("cvae-gpu plan --gpu".into()),
        Command::Name("cvae-gpu data pack".into()),
        Command::Variable("M=runs/a".into()),
        Command::Line("for s in 1 2; do cvae-gpu train; done".into()),
    ];
    assert_eq!(of_document(text), expected);
    let help = "Options:\n  --data  see `cvae-gpu data list`\n\nExamples:\n  cvae-gpu a --b   what\n  \
        cvae-gpu c > d\n\nMore.";
    let expected = [
        Command::Line("cvae-gpu a --b".into()),
        Command::Line("cvae-gpu c > d".into()),
        Command::Name("cvae-gpu data list".into()),
    ];
    assert_eq!(of_help(help), expected);
}
