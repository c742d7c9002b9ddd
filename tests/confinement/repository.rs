//! Repositories: nothing that a run leaves is executed by the git that somebody uses there afterwards.

use std::process::Command;

use claw_testkit::scene::Scene;

use crate::attack::{attacks, bash, python};
use crate::evidence::Evidence::After;
use crate::harness::Ran;

// With `evil`: settings that git would execute; with `mark`: the rest of a repository.
macro_rules! attack {
    ($text:literal) => {
        bash(concat!(
            r#"evil() { printf '[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = {ws}\n\tfsmonitor = "touch {out}/fired; false"\n'; }"#,
            "\nfine() { printf '[core]\\n\\trepositoryformatversion = 0\\n\\tbare = false\\n'; }",
            "\nhook() { printf '#!/bin/sh\\ntouch {out}/fired\\n' > $1; chmod +x $1; }",
            "\npicks() { mkdir g/.git/sequencer; (cd g/.git/sequencer; git rev-parse main > head; git rev-parse HEAD > abort-safety; echo \"pick $(cat head) x\" > todo; echo \"pick $(cat head) x\" >> todo); }",
            "\nmerge() { mkdir g/git-merge-x; printf '#!/bin/sh\\ntouch {out}/fired\\n' > g/git-merge-x/evil; chmod +x g/git-merge-x/evil; }",
            "\nhead() { echo 'ref: refs/heads/main'; }\n",
            $text
        ))
    };
}

attacks! { "repository";
    a_bare_repository => attack!("mkdir -p r/objects r/refs; evil > r/config; head > r/HEAD").shows(After(fired));
    a_bare_repository_head_first => attack!("mkdir -p r/objects r/refs; head > r/HEAD; evil > r/config").shows(After(fired));
    a_bare_repository_by_renames => attack!("mkdir -p q r/objects r/refs; evil > q/x; head > q/h; mv q/h r/HEAD; mv q/x r/config").shows(After(fired));
    a_bare_repository_head_moved_in_last => attack!("mkdir -p q r/objects r/refs; head > q/HEAD; evil > r/config; mv q/HEAD r/HEAD").shows(After(fired));
    a_bare_repository_by_a_lock_file => attack!("mkdir -p r/objects r/refs; head > r/HEAD; evil > r/config.lock; mv r/config.lock r/config").shows(After(fired));
    a_bare_repository_by_links => attack!("mkdir -p q r/objects r/refs; evil > q/c; head > q/h; ln q/c r/config; ln q/h r/HEAD").shows(After(fired));
    a_bare_repository_by_symbolic_links => attack!("mkdir -p q r/objects r/refs; evil > q/c; head > q/h; ln -s ../q/c r/config; ln -s ../q/h r/HEAD; rm r/HEAD; head > r/HEAD")
        .shows(After(fired));
    a_bare_repository_by_a_symbolic_link_to_it => attack!("mkdir -p q r/objects r/refs; head > r/HEAD; ln -s ../r/config q/l; evil > q/l").shows(After(fired));
    a_bare_repository_by_a_held_descriptor => attack!("mkdir -p r/objects r/refs; fine > r/config; exec 5>> r/config; head > r/HEAD; evil >&5").shows(After(fired));
    a_bare_repository_by_a_second_name => attack!("mkdir -p r/objects r/refs; fine > r/config; ln r/config l; head > r/HEAD; evil > l").shows(After(fired));
    a_bare_repository_by_a_mapping => python("
import mmap
os.makedirs('r/objects'); os.makedirs('r/refs')
text = b'[core]\\n\\trepositoryformatversion = 0\\n\\tworktree = {ws}\\n\\tfsmonitor = \"touch {out}/fired; false\"\\n'
open('r/config', 'wb').write(b'\\n' * len(text))
f = os.open('r/config', os.O_RDWR); m = mmap.mmap(f, len(text))
open('r/HEAD', 'w').write('ref: refs/heads/main\\n')
m[:] = text; m.flush()").shows(After(fired));
    a_bare_repository_by_an_exchange => python("
import ctypes
os.makedirs('r/objects'); os.makedirs('r/refs'); os.makedirs('q')
open('r/config', 'w').write('[core]\\n\\trepositoryformatversion = 0\\n')
open('q/c', 'w').write('[core]\\n\\trepositoryformatversion = 0\\n\\tworktree = {ws}\\n\\tfsmonitor = \"touch {out}/fired; false\"\\n')
open('r/HEAD', 'w').write('ref: refs/heads/main\\n')
ctypes.CDLL(None).renameat2(-100, b'q/c', -100, b'r/config', 2)").shows(After(fired));
    hooks_of_a_new_repository => attack!("mkdir -p .git/objects .git/refs .git/hooks; hook .git/hooks/pre-commit; head > .git/HEAD").shows(After(fired));
    hooks_of_a_new_repository_by_an_example => attack!("mkdir -p .git/objects .git/refs .git/hooks; hook .git/hooks/pre-commit.sample; head > .git/HEAD; mv .git/hooks/pre-commit.sample .git/hooks/pre-commit")
        .shows(After(fired));
    hooks_of_a_new_repository_by_a_link_to_an_example => attack!("mkdir -p .git/objects .git/refs .git/hooks; hook .git/hooks/x.sample; head > .git/HEAD; ln .git/hooks/x.sample .git/hooks/pre-commit")
        .shows(After(fired));
    the_configuration_of_a_new_repository => attack!("mkdir -p .git/objects .git/refs; head > q; evil > .git/config; mv q .git/HEAD").shows(After(fired));
    the_configuration_of_a_new_repository_by_its_descriptor => attack!("mkdir -p .git/objects .git/refs; exec 5> .git/config; evil >&5; evil > /proc/self/fd/5; evil >> .git/config; head > .git/HEAD").shows(After(fired));
    hooks_of_a_bare_repository => attack!("mkdir -p r/objects r/refs r/hooks; fine > r/config; hook r/hooks/pre-commit; head > r/HEAD; echo 'gitdir: r' > .git").shows(After(fired));
    hooks_of_a_bare_repository_head_first => attack!("mkdir -p r/objects r/refs r/hooks; fine > r/config; head > r/HEAD; hook r/hooks/pre-commit; echo 'gitdir: r' > .git")
        .shows(After(fired));
    hooks_that_are_moved_in => attack!("mkdir -p r/objects r/refs q; fine > r/config; hook q/pre-commit; head > r/HEAD; mv q r/hooks; echo 'gitdir: r' > .git").shows(After(fired));
    hooks_that_are_linked_in => attack!("mkdir -p r/objects r/refs q; fine > r/config; hook q/pre-commit; head > r/HEAD; ln -s ../q r/hooks; echo 'gitdir: r' > .git")
        .shows(After(fired));
    a_file_that_leads_to_a_repository => attack!("mkdir -p x/objects x/refs; evil > x/config; head > x/HEAD; echo 'gitdir: x' > .git").shows(After(fired));
    a_link_that_leads_to_a_repository => attack!("mkdir -p x/objects x/refs; evil > x/config; head > x/HEAD; ln -s x .git").shows(After(fired));
    a_common_directory_elsewhere => attack!("mkdir -p x/y/z e/objects e/refs; evil > e/config; echo {ws}/e > x/y/z/commondir; head > x/y/z/HEAD; echo 'gitdir: x/y/z' > .git")
        .shows(After(fired));
    a_common_directory_without_a_head => attack!("mkdir -p e/worktrees/x e/objects e/refs; evil > e/config; echo ../.. > e/worktrees/x/commondir; head > e/worktrees/x/HEAD; echo 'gitdir: e/worktrees/x' > .git")
        .shows(After(fired));
    a_common_directory_that_was_no_worktrees => attack!("mkdir -p g/worktrees/x e/objects e/refs; evil > e/config; echo {ws}/e > g/worktrees/x/commondir; head > g/HEAD; head > g/worktrees/x/HEAD; echo 'gitdir: g/worktrees/x' > .git")
        .shows(After(fired));
    a_common_directory_that_loses_its_head => attack!("mkdir -p e/worktrees/x e/objects e/refs; head > e/HEAD; echo ../.. > e/worktrees/x/commondir; head > e/worktrees/x/HEAD; rm e/HEAD; evil > e/config; echo 'gitdir: e/worktrees/x' > .git")
        .shows(After(fired));
    a_common_directory_that_moves => attack!("mkdir -p e/worktrees/x s/objects s/refs; evil > s/config; head > e/HEAD; echo ../.. > e/worktrees/x/commondir; head > e/worktrees/x/HEAD; mv e/worktrees s/t; echo 'gitdir: s/t/x' > .git")
        .shows(After(fired));
    a_rebase_that_somebody_continues => bash("git -C g -c user.name=n -c user.email=e@x rebase -q --reschedule-failed-exec -x 'true > {out}/fired' HEAD~1")
        .after(commits).shows(After(continued));
    a_list_of_a_rebase => attack!("echo 'exec touch {out}/fired' > g/.git/rebase-merge/git-rebase-todo").after(stopped).shows(After(continued));
    a_list_of_a_rebase_by_a_rename => attack!("echo ' x touch {out}/fired' > q; mv q g/.git/rebase-merge/git-rebase-todo").after(stopped).shows(After(continued));
    a_list_of_a_rebase_in_git_s_way => attack!("cd g/.git/rebase-merge; (grep ^pick git-rebase-todo; echo 'exec touch {out}/fired') > git-rebase-todo.lock; mv git-rebase-todo.lock git-rebase-todo")
        .after(stopped).shows(After(continued));
    a_list_of_a_rebase_by_a_held_lock_file => attack!("cd g/.git/rebase-merge; grep ^pick git-rebase-todo > git-rebase-todo.lock; exec 5>> git-rebase-todo.lock; mv git-rebase-todo.lock git-rebase-todo; echo 'exec touch {out}/fired' >&5")
        .after(stopped).shows(After(continued));
    a_list_of_a_rebase_that_is_made_anew => attack!("cd g/.git/rebase-merge; rm git-rebase-todo; echo 'exec touch {out}/fired' > q; ln q git-rebase-todo").after(stopped).shows(After(continued));
    a_rebase_that_is_moved_in => attack!("cp -r g/.git/rebase-merge q; echo 'exec touch {out}/fired' > q/git-rebase-todo; rm -r g/.git/rebase-merge; mv q g/.git/rebase-merge")
        .after(stopped).shows(After(continued));
    a_rebase_behind_a_link => attack!("cp -r g/.git/rebase-merge q; echo 'exec touch {out}/fired' > q/git-rebase-todo; rm -r g/.git/rebase-merge; ln -s ../../q g/.git/rebase-merge")
        .after(stopped).shows(After(continued));
    a_rebase_behind_a_link_that_is_moved_in => attack!("cp -r g/.git/rebase-merge q; echo 'exec touch {out}/fired' > q/git-rebase-todo; rm -r g/.git/rebase-merge; ln -s ../../q l; mv l g/.git/rebase-merge")
        .after(stopped).shows(After(continued));
    a_rebase_behind_a_link_that_is_linked_in => attack!("cp -r g/.git/rebase-merge q; echo 'exec touch {out}/fired' > q/git-rebase-todo; rm -r g/.git/rebase-merge; ln -s ../../q l; ln -P l g/.git/rebase-merge")
        .after(stopped).shows(After(continued));
    a_rebase_of_a_bare_repository_s_worktree => attack!("cp -r g/.git/rebase-merge q; echo 'exec touch {out}/fired' > q/git-rebase-todo; cp -r g/.git b; rm -rf b/rebase-merge; mv q b/rebase-merge; mv g/.git old; echo 'gitdir: ../b' > g/.git")
        .after(stopped).shows(After(continued));
    a_strategy_of_a_rebase => attack!("merge; echo x/evil > g/.git/rebase-merge/strategy").after(stopped).shows(After(continued));
    a_strategy_of_a_rebase_after_its_list => attack!("merge; cd g/.git/rebase-merge; exec 5> strategy; echo ort >&5; cat git-rebase-todo > q; mv q git-rebase-todo; echo x/evil > strategy; printf 'x/evil\\n' > /proc/self/fd/5")
        .after(stopped).shows(After(continued));
    a_strategy_of_a_rebase_by_a_rename => attack!("merge; echo x/evil > g/.git/rebase-merge/q; mv g/.git/rebase-merge/q g/.git/rebase-merge/strategy").after(stopped).shows(After(continued));
    a_strategy_of_a_cherry_pick => attack!("merge; picks; printf '[options]\\n\\tstrategy = x/evil\\n' > g/.git/sequencer/opts").after(stopped).shows(After(picked));
    a_strategy_of_a_cherry_pick_by_a_lock_file => attack!("merge; picks; git config --file g/.git/sequencer/opts options.strategy x/evil").after(stopped).shows(After(picked));
    a_given_bare_repository => attack!("evil >> r/config").after(given).shows(After(fired));
    a_given_bare_repository_that_loses_its_head => attack!("rm r/HEAD; evil > r/config; head > r/HEAD").after(given).shows(After(fired));
    a_given_bare_repository_in_git_s_way => bash("git --git-dir=r config core.bare false; git --git-dir=r config core.worktree {ws}; git --git-dir=r config core.fsmonitor 'touch {out}/fired; false'")
        .after(given).shows(After(fired));
    a_given_repository_in_git_s_way => bash("git --git-dir=g/.git config core.fsmonitor 'touch {out}/fired; false'").after(given).shows(After(fired));
    a_given_repository_by_a_lock_file => attack!("cat g/.git/config > g/.git/config.lock; evil >> g/.git/config.lock; mv g/.git/config.lock g/.git/config").after(given).shows(After(fired));
    a_given_repository_by_a_held_lock_file => attack!("cat g/.git/config > g/.git/config.lock; exec 5>> g/.git/config.lock; mv g/.git/config.lock g/.git/config; evil >&5").after(given).shows(After(fired));
}

fn git(scene: &Scene, directory: &str, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=n", "-c", "user.email=e@x", "-c", "safe.directory=*"]).args(arguments);
    command
        .current_dir(scene.path(directory))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", scene.path("home"));
    command.output().unwrap();
}

fn given(scene: &mut Scene) {
    git(scene, "ws", &["init", "-q", "--bare", "r"]);
    git(scene, "ws", &["init", "-q", "g"]);
}

fn commits(scene: &mut Scene) {
    given(scene);
    for _ in 0..2 {
        git(scene, "ws/g", &["commit", "-q", "--allow-empty", "-m", "x"]);
    }
}

// A rebase that waits to be continued, with commits left that are not where they were.
fn stopped(scene: &mut Scene) {
    given(scene);
    let commit = |name: &str| git(scene, "ws/g", &["commit", "-q", "--allow-empty", "-m", name]);
    commit("first");
    git(scene, "ws/g", &["branch", "-M", "main"]);
    git(scene, "ws/g", &["checkout", "-q", "-b", "other"]);
    commit("other");
    git(scene, "ws/g", &["checkout", "-q", "main"]);
    commit("second");
    commit("third");
    git(scene, "ws/g", &["rebase", "-q", "-x", "false", "other"]);
    let list = std::fs::read_to_string(scene.path("ws/g/.git/rebase-merge/git-rebase-todo")).unwrap();
    assert!(list.starts_with("pick "), "{list}");
}

fn picked(scene: &Scene, _: &Ran) -> bool {
    git(scene, "ws/g", &["rebase", "--quit"]);
    git(scene, "ws/g", &["cherry-pick", "--continue"]);
    scene.path("out/fired").exists()
}

fn continued(scene: &Scene, _: &Ran) -> bool {
    git(scene, "ws/g", &["rebase", "--continue"]);
    scene.path("out/fired").exists()
}

// As somebody does who looks at what the run has left.
fn fired(scene: &Scene, _: &Ran) -> bool {
    for directory in ["ws", "ws/r", "ws/g"] {
        if scene.path(directory).is_dir() {
            git(scene, directory, &["status"]);
            git(scene, directory, &["commit", "-q", "--allow-empty", "-m", "x"]);
        }
    }
    scene.path("out/fired").exists()
}
