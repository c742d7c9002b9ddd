//! What must keep working: real tools, as a developer's agent uses them, under the built-in profile.
//!
//! Each case is a script. It runs without the sandbox first, where it has to succeed: otherwise the tool is not here,
//! and the case is skipped and says so. Then it runs in the sandbox, in a new place, and leaves the same result.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and says what it skips")]

use std::io::Write;
use std::process::Output;

use claw_testkit::programs;
use claw_testkit::scene::Scene;

/// What does not work yet, and why. A case that works must not be listed: the test then fails.
const BROKEN: &[(&str, &str)] = &[];

/// Programs that the built-in profile does not run: a policy of the case's own allows them, and the small tools around.
const BY_POLICY: &[&str] = &["rsync", "vim", "ssh-keygen", "less", "fallocate", "dd", "install", "mkfifo"];
const AROUND: &str = "bash, cat, stat, readlink, grep, truncate";

/// One case: the programs that it needs, a script, and a file of the workspace with what it must hold in the end.
struct Case {
    needs: &'static [&'static str],
    script: &'static str,
    leaves: (&'static str, &'static str),
}

macro_rules! cases {
    ($($name:ident: [$($needs:literal),*] $script:expr => $file:literal $content:literal;)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), &Case { needs: &[$($needs),*], script: $script, leaves: ($file, $content) });
            }
        )*
    };
}

const GIT: &str = "git init -q -b main . && git config user.name A && git config user.email a@example.org; ";

cases! {
    git_commits: ["git"] "cd r && echo two > own && git add own && git commit -q -m second && git log --format=%s > ../log" => "log" "second\nfirst\n";
    git_shows_a_difference: ["git"] "cd r && echo two > own && git diff --stat > ../log; git status --porcelain >> ../log; grep -c own ../log > ../count" => "count" "2\n";
    git_clones_a_local_repository: ["git"] "git clone -q --no-hardlinks r copy && git -C copy log --format=%s > log" => "log" "first\n";
    git_collects_garbage: ["git"] "cd r && git gc -q && git fsck 2> /dev/null && git rev-list --count HEAD > ../log" => "log" "1\n";
    git_branches_and_merges: ["git"] "cd r && git checkout -q -b topic && echo t > t && git add t && git commit -q -m topic && git checkout -q main && git merge -q topic && cat t > ../log" => "log" "t\n";
    git_rebases: ["git"] "cd r && git checkout -q -b t && git commit -q --allow-empty -m t && git checkout -q main && git commit -q --allow-empty -m m && git checkout -q t && git rebase -q main && git log --format=%s > ../log" => "log" "t\nm\nfirst\n";
    git_rebases_with_a_strategy_s_option: ["git"] "cd r && git checkout -q -b t && echo t > own && git commit -q -am t && git checkout -q main && echo m > own && git commit -q -am m && git checkout -q t && git rebase -q -X theirs main && cat own > ../log" => "log" "t\n";
    git_rebases_after_a_conflict: ["git"] "cd r && git checkout -q -b t && echo t > own && git commit -q -am t && git commit -q --allow-empty -m last && git checkout -q main && echo m > own && git commit -q -am m && git checkout -q t; git rebase -q -X diff-algorithm=minimal main > /dev/null 2>&1; cat .git/rebase-merge/strategy > ../log; echo both > own; git add own; git commit -q -m t; git rebase --continue > /dev/null 2>&1; git log --format=%s >> ../log" => "log" "ort\nlast\nt\nm\nfirst\n";
    git_squashes_by_itself: ["git"] "cd r && echo t > t && git add t && git commit -q -m t && echo own > own && git commit -q -am own && echo u > t && git commit -q -a --fixup HEAD~1 && git rebase -q --autosquash HEAD~3 && git log --format=%s > ../log" => "log" "own\nt\nfirst\n";
    git_picks_commits: ["git"] "cd r && git checkout -q -b t && echo t > own && git commit -q -am t && echo u > u && git add u && git commit -q -m u && git checkout -q main && echo m > own && git commit -q -am m && git cherry-pick -X theirs main..t > /dev/null && git log --format=%s > ../log" => "log" "u\nt\nm\nfirst\n";
    git_rebases_in_a_worktree: ["git"] "cd r && git worktree add -q ../wt -b t && echo t > t && git add t && git commit -q -m m && git -C ../wt commit -q --allow-empty -m u && git -C ../wt rebase -q -X ours main && git -C ../wt log --format=%s > ../log" => "log" "u\nm\nfirst\n";
    a_directory_is_made_and_entered: ["git"] "git init -q a && cd a && git config user.name A && git config user.email a@e && git commit -q --allow-empty -m one && mkdir -p b/c; cd b/c; git log --format=%s > ../../../log" => "log" "one\n";
    git_stashes: ["git"] "cd r && echo two > own && git stash -q && git stash pop -q && cat own > ../log" => "log" "two\n";
    git_applies_a_patch: ["git"] "cd r && echo two > own && git diff > ../p && git checkout -q own && git apply ../p && cat own > ../log" => "log" "two\n";
    git_makes_an_archive: ["git", "tar"] "cd r && git archive -o ../a.tar HEAD && tar -xOf ../a.tar own > ../log" => "log" "original\n";
    npm_installs_from_a_folder: ["npm", "node"] "cd app && npm install --offline --no-audit --no-fund ../dep > /dev/null && node -e 'console.log(require(\"dep\"))' > ../log" => "log" "7\n";
    npm_runs_a_script: ["npm", "node"] "cd app && npm run --silent hello > ../log" => "log" "hello\n";
    node_writes_files: ["node"] "node -e 'require(\"fs\").writeFileSync(\"log\", \"x\\n\")'" => "log" "x\n";
    tar_packs_and_unpacks: ["tar"] "tar -cf a.tar tree && mkdir out && tar -xf a.tar -C out && cat out/tree/deep/file > log" => "log" "deep\n";
    tar_compresses: ["tar", "gzip"] "tar -czf a.tgz tree && mkdir out && tar -xzf a.tgz -C out && cat out/tree/deep/file > log" => "log" "deep\n";
    zip_packs_and_unpacks: ["zip", "unzip"] "zip -qr a.zip tree && mkdir out && unzip -q a.zip -d out && cat out/tree/deep/file > log" => "log" "deep\n";
    cp_keeps_everything: ["cp"] "chmod 751 tree/tool; cp -a tree copy && stat -c %a copy/tool > log && readlink copy/link >> log" => "log" "751\ndeep/file\n";
    mv_renames_a_tree: ["mv"] "mv tree moved && cat moved/deep/file > log" => "log" "deep\n";
    ln_makes_links: ["ln"] "ln own hard && ln -s own soft && cat hard soft > log" => "log" "original\noriginal\n";
    sqlite_in_python: ["python3"] "python3 db.py > log" => "log" "[(3,)]\n";
    sqlite_on_the_command_line: ["sqlite3"] "sqlite3 x.db 'create table t(a); insert into t values (5); select a from t' > log" => "log" "5\n";
    python_makes_an_environment: ["python3"] "python3 -m venv --without-pip v && test -f v/pyvenv.cfg && echo made > log" => "log" "made\n";
    python_uses_processes: ["python3"] "python3 pool.py > log" => "log" "[1, 4, 9]\n";
    python_shares_memory: ["python3"] "python3 shared.py > log" => "log" "7\n";
    python_compiles: ["python3"] "python3 -m py_compile db.py && ls __pycache__ | wc -l > log" => "log" "1\n";
    python_makes_temporary_files: ["python3"] "python3 -c 'import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b\"x\"); print(f.tell())' > log" => "log" "1\n";
    sed_edits_in_place: ["sed"] "sed -i s/original/changed/ own && cat own > log" => "log" "changed\n";
    perl_edits_in_place: ["perl"] "perl -pi -e s/original/changed/ own && cat own > log" => "log" "changed\n";
    an_editor_writes_by_rename: ["python3"] "python3 -c 'import os; open(\"own~\", \"w\").write(\"new\\n\"); os.replace(\"own~\", \"own\")' && cat own > log" => "log" "new\n";
    make_builds: ["make", "gcc"] "cd c && make -s && cat built > ../log" => "log" "built\n";
    gcc_compiles_and_links: ["gcc"] "gcc -o prog c/main.c && test -x prog && echo linked > log" => "log" "linked\n";
    gcc_makes_a_library: ["gcc", "ar"] "gcc -c -o m.o c/main.c && ar rcs libm.a m.o && ar t libm.a > log" => "log" "m.o\n";
    find_and_xargs: ["find", "xargs"] "find tree -name file -print0 | xargs -0 cat > log" => "log" "deep\n";
    find_executes: ["find"] "find tree -name file -exec cat {} ';' > log" => "log" "deep\n";
    mktemp_makes_files: ["mktemp"] "mktemp x.XXXXXX > /dev/null && ls | grep -c '^x[.]' > log" => "log" "1\n";
    flock_locks: ["flock"] "flock lock cat own > log" => "log" "original\n";
    patch_patches: ["patch", "diff"] "cp own new; echo more >> new; diff -u own new > p; patch -s own p && cat own > log" => "log" "original\nmore\n";
    sort_uses_temporary_files: ["sort", "seq"] "seq 1 20000 | sort -S 100k -rn | head -1 > log" => "log" "20000\n";
    awk_and_pipes: ["awk"] "seq 1 10 | awk '{ s += $1 } END { print s }' > log" => "log" "55\n";
    jq_reads_json: ["jq"] "echo '{\"a\": [1, 2]}' | jq '.a[1]' > log" => "log" "2\n";
    shell_jobs: ["sleep"] "sleep 0.01 & wait; echo done > log" => "log" "done\n";
    here_documents: ["cat"] "cat > log << E\ntext\nE" => "log" "text\n";
    modes_of_own_files: ["chmod"] "chmod 600 own && touch -d 2001-01-01 own && stat -c '%a %y' own | cut -c1-14 > log" => "log" "600 2001-01-01\n";
    directories_pass_their_group_on: ["chmod"] "mkdir d && chmod 2775 d && mkdir d/e && stat -c %a d d/e > log" => "log" "2775\n2755\n";
    gzip_round_trip: ["gzip"] "gzip -k own && gzip -dc own.gz > log" => "log" "original\n";
    git_resets_and_cleans: ["git"] "cd r && echo two > own && touch junk && git reset -q --hard && git clean -qf && ls > ../log" => "log" "own\n";
    git_tags_and_describes: ["git"] "cd r && git tag -a -m one v1 && git describe > ../log" => "log" "v1\n";
    rsync_copies_a_tree: ["rsync"] "rsync -a tree/ copy/ && cat copy/deep/file > log && readlink copy/link >> log" => "log" "deep\ndeep/file\n";
    vim_edits: ["vim"] "printf '%s\n' '%s/original/changed/' wq | vim -e own > screen 2>&1; cat own > log" => "log" "changed
";
    vim_writes_by_rename: ["vim"] "printf '%s\n' 'set writebackup backupcopy=no' '%s/original/changed/' wq | vim -e own > screen 2>&1; cat own > log" => "log" "changed
";
    ssh_keys_are_made_in_the_workspace: ["ssh-keygen"] "ssh-keygen -q -t ed25519 -N '' -f key && stat -c %a key > log && ssh-keygen -l -f key.pub | grep -c ED25519 >> log" => "log" "600\n1\n";
    cargo_makes_a_package: ["cargo", "rustc"] "cargo new -q fresh && git -C fresh config core.bare > log && ls fresh/src >> log" => "log" "false\nmain.rs\n";
    a_repository_as_libgit2_makes_it: ["python3"] "python3 begin.py && git -C begun config --get core.bare > log" => "log" "false\n";
    a_new_repository_keeps_modes: ["git"] "git init -q fresh && git -C fresh config --get core.filemode > log" => "log" "true\n";
    cargo_builds_with_a_build_script: ["cargo", "rustc"] "cd crate && cargo build -q --offline && test -x target/debug/tiny && cat target/debug/build/tiny-*/out/text > ../log" => "log" "made by the build script";
    npm_runs_what_it_has_installed: ["npm", "node"] "cd app && npm install --offline --no-audit --no-fund ../dep > /dev/null && npm ls --parseable --depth 0 | wc -l > ../log" => "log" "2\n";
    xz_round_trip: ["xz", "tar"] "tar -cJf a.txz tree && mkdir out && tar -xJf a.txz -C out && cat out/tree/deep/file > log" => "log" "deep\n";
    less_shows: ["less"] "less own > log < /dev/null" => "log" "original\n";
    dd_copies: ["dd"] "dd if=own of=copy bs=4 status=none && cat copy > log" => "log" "original\n";
    install_sets_modes: ["install"] "install -D -m 700 own a/b/tool && stat -c %a a/b/tool > log" => "log" "700\n";
    xargs_runs_in_parallel: ["xargs", "seq"] "seq 1 20 | xargs -P 4 -n 1 echo | sort -n | tail -n 1 > log" => "log" "20\n";
    process_substitution: ["diff"] "diff <(cat own) <(cat own) && echo same > log" => "log" "same\n";
    fifos_join_processes: ["mkfifo"] "mkfifo pipe && (cat own > pipe &) && cat pipe > log" => "log" "original\n";
    python_starts_programs: ["python3"] "python3 -c 'import subprocess; print(subprocess.run([\"git\", \"--version\"], capture_output=True, text=True).stdout[:3])' > log" => "log" "git\n";
    python_uses_threads: ["python3"] "python3 -c 'from concurrent.futures import ThreadPoolExecutor as T; print(sum(T(4).map(len, [\"ab\"] * 50)))' > log" => "log" "100\n";
    node_makes_a_worker: ["node"] "node -e 'const {Worker} = require(\"worker_threads\"); new Worker(\"require(\\\"worker_threads\\\").parentPort.postMessage(5)\", {eval: true}).on(\"message\", m => require(\"fs\").writeFileSync(\"log\", m + \"\\n\"))'" => "log" "5\n";
    truncate_and_fallocate: ["truncate", "fallocate"] "truncate -s 10 a && fallocate -l 20 b && stat -c %s a b > log" => "log" "10\n20\n";
    dates_and_names: ["date", "id"] "date +%Y > year && test -s year && id -u > uid && test -s uid && echo ok > log" => "log" "ok\n";
}

fn check(name: &str, case: &Case) {
    for program in case.needs {
        let found = ["/usr/local/bin", "/usr/bin", "/bin"]
            .iter()
            .any(|place| std::fs::exists(format!("{place}/{program}")).unwrap());
        if !found {
            say(&format!("skipped: {name}: no {program} where a policy looks for programs"));
            return;
        }
    }
    let control = Scene::new();
    furnish(&control);
    let output = control.program("bash").args(["-c", case.script]).output().unwrap();
    let left = std::fs::read_to_string(control.path("ws").join(case.leaves.0)).unwrap_or_default();
    if left != case.leaves.1 {
        say(&format!(
            "skipped: {name}: it does not work without a sandbox either: {}",
            story(&output, &left)
        ));
        return;
    }
    let scene = Scene::new();
    furnish(&scene);
    let output = scene
        .program(programs::sandbox())
        .arg("run")
        .args(policy(&scene, case))
        .args(["--shell", case.script])
        .output()
        .unwrap();
    let left = std::fs::read_to_string(scene.path("ws").join(case.leaves.0)).unwrap_or_default();
    let works = left == case.leaves.1 && output.status.success();
    match BROKEN.iter().find(|(broken, _)| *broken == name) {
        Some(_) => {
            assert!(!works, "{name} works now: remove it from BROKEN");
            say(&format!("broken: {name}: it does not work in the sandbox"));
        }
        None => assert!(works, "{name} does not work in the sandbox: {}", story(&output, &left)),
    }
}

/// The option that names the case's own policy, where it needs one.
fn policy(scene: &Scene, case: &Case) -> Vec<String> {
    if !case.needs.iter().any(|program| BY_POLICY.contains(program)) {
        return Vec::new();
    }
    let allowed = format!("exec: {{allowlist: [{AROUND}, {}]}}", case.needs.join(", "));
    let text = format!("workspace: {}\n{allowed}\n", scene.path("ws").display());
    vec!["--policy".into(), scene.write("policy.yaml", text).display().to_string()]
}

/// What the scripts work on.
fn furnish(scene: &Scene) {
    scene.write("ws/tree/deep/file", "deep\n");
    scene.write("ws/tree/tool", "#!/bin/sh\n");
    std::os::unix::fs::symlink("deep/file", scene.path("ws/tree/link")).unwrap();
    scene.write("ws/c/main.c", "int main(void) { return 0; }\n");
    scene.write("ws/c/Makefile", "built: main.o\n\techo built > built\nmain.o: main.c\n\tgcc -c main.c\n");
    scene.write("ws/dep/package.json", "{\"name\": \"dep\", \"version\": \"1.0.0\", \"main\": \"index.js\"}");
    scene.write("ws/dep/index.js", "module.exports = 7;\n");
    scene.write(
        "ws/app/package.json",
        "{\"name\": \"app\", \"version\": \"1.0.0\", \"scripts\": {\"hello\": \"echo hello\"}}",
    );
    scene.write(
        "ws/db.py",
        "import sqlite3\nc = sqlite3.connect('x.db')\nc.execute('pragma journal_mode=wal')\nc.execute('create table t(a)')\n\
         c.execute('insert into t values (3)')\nc.commit()\nprint(c.execute('select a from t').fetchall())\n",
    );
    scene.write(
        "ws/pool.py",
        "import multiprocessing\ndef square(x):\n    return x * x\nif __name__ == '__main__':\n    \
         with multiprocessing.Pool(2) as pool:\n        print(pool.map(square, [1, 2, 3]))\n",
    );
    scene.write(
        "ws/begin.py",
        "import os\nfor name in ['', '/objects', '/refs', '/hooks']:\n    os.makedirs('begun/.git' + name)\n\
         open('begun/.git/hooks/README.sample', 'w').write('x')\nopen('begun/.git/config', 'w').close()\n\
         open('begun/.git/config.lock', 'w').write('[core]\\n\\tbare = false\\n')\n\
         os.rename('begun/.git/config.lock', 'begun/.git/config')\n\
         open('begun/.git/HEAD', 'w').write('ref: refs/heads/main\\n')\n",
    );
    scene.write(
        "ws/shared.py",
        "from multiprocessing.shared_memory import SharedMemory\na = SharedMemory(create=True, size=10)\n\
         b = SharedMemory(name=a.name)\na.buf[0] = 7\nprint(b.buf[0])\nb.close()\na.close()\na.unlink()\n",
    );
    scene.write(
        "ws/crate/Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    scene.write(
        "ws/crate/build.rs",
        "fn main() { std::fs::write(format!(\"{}/text\", std::env::var(\"OUT_DIR\").unwrap()), \"made by the build script\").unwrap(); }\n",
    );
    scene.write(
        "ws/crate/src/main.rs",
        "fn main() { println!(\"{}\", include_str!(concat!(env!(\"OUT_DIR\"), \"/text\"))); }\n",
    );
    std::fs::create_dir(scene.path("ws/r")).unwrap();
    scene.write("ws/r/own", "original\n");
    // The settings of a repository are protected inside of the sandbox, so they are made outside.
    let script = format!("cd r && {GIT} git add own && git commit -q -m first");
    let _ = scene.program("bash").args(["-c", &script]).output();
}

fn story(output: &Output, left: &str) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{}, it left {left:?}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// Says something that is to be seen, also when the test passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
