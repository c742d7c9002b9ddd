//! What the arguments of programs can make them run or write: text, files, archives.
//!
//! From each program's manual page (GNU coreutils 9, findutils 4.9, tar 1.35). Options with a
//! value stand here too when they do nothing, so that the value is not read as an option.

use super::super::options::{Effect, Opt, Special, Style, Syntax, Value};
use super::table_git::GIT_OPTIONS;
use super::{Family, Operands};

pub(super) const fn flag(names: &'static [&'static str]) -> Opt {
    Opt { names, value: Value::No, effect: Effect::Plain }
}

pub(super) const fn value(names: &'static [&'static str]) -> Opt {
    Opt { names, value: Value::Yes, effect: Effect::Plain }
}

/// An option without a value that makes the program write what the line does not tell.
pub(super) const fn escapes(names: &'static [&'static str], why: &'static str) -> Opt {
    Opt { names, value: Value::No, effect: Effect::Escapes(why) }
}

pub(super) const fn joined(names: &'static [&'static str]) -> Opt {
    Opt { names, value: Value::Joined, effect: Effect::Plain }
}

pub(super) const fn writes(names: &'static [&'static str]) -> Opt {
    Opt { names, value: Value::Yes, effect: Effect::Writes }
}

pub(super) const fn writes_in(names: &'static [&'static str]) -> Opt {
    Opt { names, value: Value::Yes, effect: Effect::WritesIn }
}

pub(super) const fn runs(names: &'static [&'static str]) -> Opt {
    Opt { names, value: Value::Yes, effect: Effect::Runs }
}

pub(super) const fn runs_rest(names: &'static [&'static str]) -> Opt {
    Opt { names, value: Value::Joined, effect: Effect::RunsRest }
}

pub(super) const fn special(names: &'static [&'static str], special: Special) -> Opt {
    Opt { names, value: Value::Yes, effect: Effect::Special(special) }
}

/// An option without a value that is refused.
pub(super) const fn refused(names: &'static [&'static str], why: &'static str) -> Opt {
    Opt { names, value: Value::No, effect: Effect::Refused(why) }
}

/// An option with a value that is refused.
pub(super) const fn refused_value(names: &'static [&'static str], why: &'static str) -> Opt {
    Opt { names, value: Value::Yes, effect: Effect::Refused(why) }
}

pub(super) const fn family(
    names: &'static [&'static str],
    style: Style,
    options: &'static [Opt],
    operands: Operands,
) -> Family {
    Family { names, syntax: Syntax { options, style, operand_ends: false }, operands }
}

const RUNS_PROGRAM: &str = "names a program to run";
const READS_OPTIONS: &str = "reads more options from a file";
const UNREAD: &str = "names a program file, which is not read";

const AWK_OPTIONS: &[Opt] = &[
    value(&["-F", "--field-separator"]),
    value(&["-v", "--assign"]),
    refused_value(&["-f", "--file"], UNREAD),
    refused_value(&["-E", "--exec"], UNREAD),
    value(&["-e", "--source"]),
    refused_value(&["-i", "--include"], "loads code that the text does not tell"),
    refused_value(&["-l", "--load"], "loads a library"),
    Opt { names: &["-o", "--pretty-print"], value: Value::Joined, effect: Effect::Writes },
    Opt { names: &["-d", "--dump-variables"], value: Value::Joined, effect: Effect::Writes },
    Opt { names: &["-p", "--profile"], value: Value::Joined, effect: Effect::Writes },
    refused(&["-D", "--debug"], "starts a debugger"),
    flag(&["-S", "--sandbox"]),
    refused_value(&["-W"], "means another option"),
    value(&["-Z", "--locale"]),
    joined(&["-L", "--lint"]),
    flag(&["-b", "--characters-as-bytes", "-c", "--traditional", "-C", "--copyright", "-g", "--gen-pot"]),
    flag(&["-h", "--help", "-k", "--csv", "-M", "--bignum", "-N", "--use-lc-numeric", "-V", "--version"]),
    flag(&["-n", "--non-decimal-data", "-O", "--optimize", "-P", "--posix", "-r", "--re-interval"]),
    flag(&["-s", "--no-optimize", "-t", "--lint-old"]),
];

pub(super) static FAMILIES: &[Family] = &[
    Family {
        names: &["git"],
        syntax: Syntax { options: GIT_OPTIONS, style: Style::Exact, operand_ends: true },
        operands: Operands::Git,
    },
    family(
        &["sort", "gsort"],
        Style::Getopt,
        &[
            runs(&["--compress-program"]),
            writes(&["-o", "--output"]),
            value(&["-k", "--key"]),
            value(&["-t", "--field-separator"]),
            value(&["-S", "--buffer-size"]),
            writes_in(&["-T", "--temporary-directory"]),
            value(&["--files0-from"]),
            value(&["--random-source"]),
            value(&["--parallel"]),
            value(&["--batch-size"]),
            joined(&["--check"]),
            joined(&["--sort"]),
        ],
        Operands::Data,
    ),
    family(
        &["shuf"],
        Style::Getopt,
        &[
            writes(&["-o", "--output"]),
            value(&["-n", "--head-count"]),
            value(&["-i", "--input-range"]),
            value(&["--random-source"]),
        ],
        Operands::Data,
    ),
    family(
        &["uniq"],
        Style::Getopt,
        &[value(&["-f", "--skip-fields"]), value(&["-s", "--skip-chars"]), value(&["-w", "--check-chars"])],
        Operands::SecondWritten,
    ),
    family(
        &["split"],
        Style::Getopt,
        &[
            runs(&["--filter"]),
            value(&["-a", "--suffix-length"]),
            value(&["-b", "--bytes"]),
            value(&["-C", "--line-bytes"]),
            value(&["-l", "--lines"]),
            value(&["-n", "--number"]),
            value(&["-t", "--separator"]),
            value(&["--additional-suffix"]),
        ],
        Operands::SecondWritten,
    ),
    family(
        &["csplit"],
        Style::Getopt,
        &[writes(&["-f", "--prefix"]), value(&["-b", "--suffix-format"]), value(&["-n", "--digits"])],
        Operands::Data,
    ),
    family(&["tee"], Style::Getopt, &[joined(&["--output-error"])], Operands::Written),
    family(
        &["touch"],
        Style::Getopt,
        &[value(&["-d", "--date"]), value(&["-r", "--reference"]), value(&["-t"])],
        Operands::Written,
    ),
    family(
        &["truncate"],
        Style::Getopt,
        &[value(&["-s", "--size"]), value(&["-r", "--reference"])],
        Operands::Written,
    ),
    family(
        &["shred"],
        Style::Getopt,
        &[value(&["-n", "--iterations"]), value(&["-s", "--size"]), value(&["--random-source"])],
        Operands::Written,
    ),
    family(&["mkdir"], Style::Getopt, &[value(&["-m", "--mode"])], Operands::Made),
    family(&["mkfifo", "mknod"], Style::Getopt, &[value(&["-m", "--mode"])], Operands::FirstWritten),
    family(&["rmdir", "unlink"], Style::Getopt, &[], Operands::Deleted),
    family(&["rm"], Style::Getopt, &[flag(&["-r", "-R", "--recursive"])], Operands::DeletedTree),
    family(
        &["chmod", "chown", "chgrp"],
        Style::Getopt,
        &[flag(&["-R", "--recursive"]), value(&["--reference"])],
        Operands::Changed,
    ),
    family(
        &["cp", "install", "ln", "link"],
        Style::Getopt,
        &[
            writes_in(&["-t", "--target-directory"]),
            value(&["-S", "--suffix"]),
            value(&["-m", "--mode"]),
            value(&["-o", "--owner"]),
            value(&["-g", "--group"]),
            Opt { names: &["--strip-program"], value: Value::Yes, effect: Effect::Runs },
        ],
        Operands::CopiedTo,
    ),
    family(
        &["mv"],
        Style::Getopt,
        &[writes_in(&["-t", "--target-directory"]), value(&["-S", "--suffix"])],
        Operands::MovedTo,
    ),
    family(&["dd"], Style::Exact, &[], Operands::Dd),
    family(
        &["xxd"],
        Style::SingleDash,
        &[value(&["-l"]), value(&["-s"]), value(&["-c"]), value(&["-g"])],
        Operands::SecondWritten,
    ),
    family(
        &["tree"],
        Style::Getopt,
        &[writes(&["-o"]), value(&["-L"]), value(&["-P"]), value(&["-I"])],
        Operands::Data,
    ),
    family(
        &["iconv", "uconv"],
        Style::Getopt,
        &[writes(&["-o", "--output"]), value(&["-f", "--from-code"]), value(&["-t", "--to-code"])],
        Operands::Data,
    ),
    family(
        &["patch"],
        Style::Getopt,
        &[
            writes(&["-o", "--output"]),
            writes(&["-r", "--reject-file"]),
            writes_in(&["-d", "--directory"]),
            value(&["-i", "--input"]),
            value(&["-p", "--strip"]),
            value(&["-F", "--fuzz"]),
            value(&["-D", "--ifdef"]),
            refused(&["-e", "--ed"], "runs `ed`"),
        ],
        Operands::Data,
    ),
    family(
        &["diff3", "sdiff"],
        Style::Getopt,
        &[runs(&["--diff-program"]), writes(&["-o", "--output"])],
        Operands::Data,
    ),
    family(
        &["sed", "gsed"],
        Style::Getopt,
        &[
            special(&["-e", "--expression"], Special::SedScript),
            refused_value(&["-f", "--file"], UNREAD),
            value(&["-l", "--line-length"]),
            Opt {
                names: &["-i", "--in-place"],
                value: Value::Joined,
                effect: Effect::Special(Special::InPlace),
            },
            flag(&["--sandbox"]),
            flag(&["-n", "--quiet", "--silent"]),
            flag(&["-E", "-r", "--regexp-extended"]),
            flag(&["-s", "--separate", "-u", "--unbuffered", "-z", "--null-data", "--zero-terminated"]),
            flag(&["-b", "--binary", "--posix", "--debug", "--follow-symlinks", "--help", "--version"]),
        ],
        Operands::Sed,
    ),
    Family {
        names: &["awk", "gawk", "mawk", "nawk", "original-awk"],
        // What stands behind the program is data, even when it looks like an option.
        syntax: Syntax { options: AWK_OPTIONS, style: Style::Getopt, operand_ends: true },
        operands: Operands::Awk,
    },
    family(
        &["find", "gfind"],
        Style::SingleDash,
        &[
            flag(&["-delete"]),
            writes(&["-fprint"]),
            writes(&["-fprint0"]),
            writes(&["-fprintf"]),
            writes(&["-fls"]),
            value(&["-name"]),
            value(&["-iname"]),
            value(&["-path"]),
            value(&["-ipath"]),
            value(&["-wholename"]),
            value(&["-regex"]),
            value(&["-iregex"]),
            value(&["-lname"]),
            value(&["-ilname"]),
            value(&["-type"]),
            value(&["-xtype"]),
            value(&["-printf"]),
            value(&["-newer"]),
            value(&["-size"]),
            value(&["-mtime"]),
            value(&["-mmin"]),
            value(&["-perm"]),
            value(&["-user"]),
            value(&["-group"]),
            value(&["-maxdepth"]),
            value(&["-mindepth"]),
        ],
        Operands::Find,
    ),
    family(
        &["fd", "fdfind"],
        Style::Getopt,
        &[
            runs_rest(&["-x", "--exec"]),
            runs_rest(&["-X", "--exec-batch"]),
            value(&["-e", "--extension"]),
            value(&["-t", "--type"]),
            value(&["-d", "--max-depth"]),
            value(&["-E", "--exclude"]),
            value(&["-c", "--color"]),
            value(&["-j", "--threads"]),
            value(&["-S", "--size"]),
            value(&["-g"]),
        ],
        Operands::Data,
    ),
    family(
        &["rg"],
        Style::Getopt,
        &[
            runs(&["--pre"]),
            runs(&["--hostname-bin"]),
            value(&["-e", "--regexp"]),
            value(&["-f", "--file"]),
            value(&["-g", "--glob"]),
            flag(&["--pretty"]),
            value(&["--pre-glob"]),
            value(&["-t", "--type"]),
            value(&["-T", "--type-not"]),
            value(&["-m", "--max-count"]),
            value(&["-A", "--after-context"]),
            value(&["-B", "--before-context"]),
            value(&["-C", "--context"]),
            value(&["-r", "--replace"]),
            value(&["-j", "--threads"]),
            value(&["-d", "--max-depth"]),
            value(&["-M", "--max-columns"]),
            value(&["-E", "--encoding"]),
        ],
        Operands::Data,
    ),
    family(
        &["ag", "ack"],
        Style::Getopt,
        &[runs(&["--pager"]), refused_value(&["--output"], "is evaluated as code")],
        Operands::Data,
    ),
    family(&["tar", "gtar", "bsdtar"], Style::Getopt, TAR_OPTIONS, Operands::Tar),
    family(
        &["cpio"],
        Style::Getopt,
        &[runs(&["--rsh-command"]), writes(&["-O", "-F", "--file"])],
        Operands::Data,
    ),
    family(&["ar"], Style::Getopt, &[refused_value(&["--plugin"], "loads a plugin")], Operands::Data),
    family(
        &["zip"],
        Style::Getopt,
        &[
            runs(&["-TT", "--unzip-command"]),
            writes(&["-O", "--output-file"]),
            writes_in(&["-b", "--temp-path"]),
            value(&["-x"]),
            value(&["-i"]),
            value(&["-n"]),
            value(&["-P"]),
            value(&["-t"]),
        ],
        Operands::FirstWritten,
    ),
    family(&["unzip"], Style::Getopt, &[writes_in(&["-d"]), value(&["-x"]), value(&["-P"])], Operands::Data),
    family(
        &["7z", "7za", "7zr"],
        Style::Exact,
        &[Opt { names: &["-o"], value: Value::Joined, effect: Effect::WritesIn }],
        Operands::Data,
    ),
    family(
        &["rsync"],
        Style::Getopt,
        &[
            runs(&["-e", "--rsh"]),
            refused_value(&["--rsync-path"], RUNS_PROGRAM),
            refused_value(&["-M", "--remote-option"], "is given to another rsync"),
            writes(&["--log-file"]),
            writes(&["--write-batch"]),
            writes(&["--only-write-batch"]),
            writes_in(&["--backup-dir"]),
            writes_in(&["-T", "--temp-dir"]),
            writes_in(&["--partial-dir"]),
            refused_value(&["--config"], READS_OPTIONS),
            value(&["-f", "--filter"]),
            value(&["--exclude"]),
            value(&["--include"]),
            value(&["-B", "--block-size"]),
            value(&["--files-from"]),
        ],
        Operands::CopiedTo,
    ),
];

const TAR_OPTIONS: &[Opt] = &[
    flag(&["-c", "--create"]),
    flag(&["-x", "--extract", "--get"]),
    flag(&["-t", "--list"]),
    flag(&["-r", "--append"]),
    flag(&["-u", "--update"]),
    flag(&["-A", "--catenate", "--concatenate"]),
    flag(&["--delete"]),
    value(&["-f", "--file"]),
    value(&["-C", "--directory", "--cd"]),
    joined(&["--checkpoint"]),
    special(&["--checkpoint-action"], Special::TarAction),
    runs(&["--to-command"]),
    runs(&["-I", "--use-compress-program"]),
    runs(&["--rsh-command"]),
    refused_value(&["--rmt-command"], RUNS_PROGRAM),
    runs(&["-F", "--info-script", "--new-volume-script"]),
    writes(&["--index-file"]),
    writes(&["-g", "--listed-incremental"]),
    writes(&["--volno-file"]),
    Opt {
        names: &["-T", "--files-from"],
        value: Value::Yes,
        effect: Effect::Refused("reads names and options from a file"),
    },
    flag(&["--force-local"]),
    flag(&["--check-device"]),
    flag(&["--check-links"]),
    flag(&["--to-stdout", "-O"]),
    flag(&["--totals"]),
    value(&["-b", "--blocking-factor"]),
    value(&["-H", "--format"]),
    value(&["-K", "--starting-file"]),
    value(&["-L", "--tape-length"]),
    value(&["-N", "--newer", "--after-date"]),
    value(&["-V", "--label"]),
    value(&["-X", "--exclude-from"]),
    value(&["--exclude"]),
    flag(&["-P", "--absolute-names", "--absolute-paths", "--insecure"]),
    joined(&["--one-top-level"]),
    value(&["--transform", "--xform"]),
    value(&["--strip-components"]),
    value(&["--owner"]),
    value(&["--group"]),
    value(&["--mode"]),
    value(&["--mtime"]),
    value(&["--suffix"]),
    flag(&["-z", "--gzip", "--gunzip"]),
    flag(&["--exclude-vcs"]),
];

/// Wrappers, whose inner commands are judged elsewhere: only the files that they write.
pub(super) static WRAPPERS: &[Family] = &[
    Family {
        names: &["time"],
        syntax: Syntax {
            options: &[writes(&["-o", "--output"]), value(&["-f", "--format"])],
            style: Style::Getopt,
            operand_ends: true,
        },
        operands: Operands::Data,
    },
    Family {
        names: &["flock"],
        syntax: Syntax {
            options: &[
                value(&["-w", "--wait", "--timeout"]),
                value(&["-E", "--conflict-exit-code"]),
                value(&["-c", "--command"]),
            ],
            style: Style::Getopt,
            operand_ends: true,
        },
        operands: Operands::FirstWritten,
    },
    Family {
        names: &["parallel"],
        syntax: Syntax {
            options: &[writes_in(&["--results"]), writes(&["--joblog"])],
            style: Style::Getopt,
            operand_ends: true,
        },
        operands: Operands::Data,
    },
];
