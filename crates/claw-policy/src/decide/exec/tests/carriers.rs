//! Programs that run others or write files by their arguments.

use super::*;

#[test]
fn arguments_may_only_run_what_is_allowed_too() {
    check(
        &developer(),
        &[
            ("sort --compress-program=gzip x", "ok"),
            ("sort --compress-program=evil x", "exec.not-allowlisted"),
            ("sort --compress-prog=evil x", "exec.not-allowlisted"),
            ("sort x --compress-program evil", "exec.not-allowlisted"),
            ("sort -- --compress-program=evil", "ok"),
            ("sort -k2 -t, x", "ok"),
            ("sort $x", "shell.opaque"),
            ("sort \"$x\"", "shell.opaque"),
            ("sort -- \"$x\"", "ok"),
            ("sort ./*", "ok"),
            ("sort *", "shell.opaque"),
            ("wc -l \"$f\"", "ok"),
            ("cat $f", "ok"),
            ("tar -xf a.tar --checkpoint=1 --checkpoint-action=exec=evil", "exec.not-allowlisted"),
            ("tar -xf a.tar --checkpoint-act=exec=evil", "exec.not-allowlisted"),
            ("tar xf a.tar --to-command=evil", "exec.not-allowlisted"),
            ("tar xf a.tar -I evil", "exec.not-allowlisted"),
            ("tar xIf evil a.tar", "exec.not-allowlisted"),
            ("tar -I gzip -cf a.tgz src", "ok"),
            ("tar czf a.tgz src", "ok"),
            ("tar xzf a.tgz", "ok"),
            ("tar tf host:a.tar", "exec.carrier"),
            ("rg --pre evil x", "exec.not-allowlisted"),
            ("rg --pre=cat x", "ok"),
            ("rg --pretty x", "ok"),
            ("fd -x evil {}", "exec.not-allowlisted"),
            ("fd . -x cat {}", "ok"),
            ("man -P evil ls", "exec.not-allowlisted"),
            ("less +!id x", "exec.carrier"),
            ("less +G x", "ok"),
            ("vim +:!id x", "exec.carrier"),
            ("vim -c '!id'", "exec.carrier"),
            ("ed -s x", "ok"),
            ("ed -s '!id'", "exec.carrier"),
            ("tcpdump -z evil", "exec.carrier"),
            ("zip a.zip x -TT evil", "exec.not-allowlisted"),
            ("make", "ok"),
            ("make SHELL=evil", "exec.not-allowlisted"),
            ("make 'X=$(shell id)'", "exec.carrier"),
            ("make --eval=x", "exec.carrier"),
            ("gcc -wrapper evil x.c", "exec.carrier"),
            ("gcc -fplugin=x.so x.c", "exec.carrier"),
            ("gcc -O2 -o a x.c", "ok"),
            ("cargo build --config 'build.rustc=evil'", "exec.carrier"),
            ("cargo test", "ok"),
            ("go build -toolexec evil", "exec.carrier"),
            ("go test ./x", "ok"),
            ("docker run x", "exec.carrier"),
            ("docker ps", "ok"),
            ("gcc @args", "exec.carrier"),
            ("cargo rustc -- -C linker=evil", "exec.not-allowlisted"),
            ("go env -w X=y", "exec.carrier"),
            ("go env GOPATH", "ok"),
            ("fd --exec=evil", "exec.not-allowlisted"),
            ("npm --prefix /etc ci", "file.outside"),
            ("sed -f - x", "exec.carrier"),
            ("git push 'ext::sh -c id'", "exec.carrier"),
            ("git init /etc/x", "file.outside"),
            ("git config alias.x '!evil'", "exec.not-allowlisted"),
            ("ssh -oProxyCommand=evil h", "exec.carrier"),
            ("rsync -e evil a h:b", "exec.not-allowlisted"),
            ("sqlite3 x '.shell id'", "exec.carrier"),
            ("npm --script-shell=evil test", "exec.not-allowlisted"),
            ("npm test", "ok"),
            ("mytool --anything $x", "ok"),
        ],
    );
}

#[test]
fn git_may_not_be_made_to_run_programs() {
    check(
        &developer(),
        &[
            ("git -c user.name=x commit -m y", "ok"),
            ("git -c core.fsmonitor=evil status", "exec.not-allowlisted"),
            ("git -c core.fsmonitor=false status", "ok"),
            ("git -c core.fsMonitor=evil status", "exec.not-allowlisted"),
            ("git -ccore.pager=evil log", "exec.not-allowlisted"),
            ("git -c core.pager=cat log", "ok"),
            ("git -c core.pager='less -R' log", "ok"),
            ("git -c core.hooksPath=x commit", "exec.carrier"),
            ("git -c core.hooksPath=/dev/null commit", "ok"),
            ("git -c core.sshCommand='evil x' fetch", "exec.not-allowlisted"),
            ("git -c diff.external=evil diff", "exec.not-allowlisted"),
            ("git -c diff.x.textconv=evil diff", "exec.not-allowlisted"),
            ("git -c credential.helper='!evil' fetch", "exec.not-allowlisted"),
            ("git -c include.path=x status", "exec.carrier"),
            ("git -c unknown.key=x status", "exec.carrier"),
            ("git -c alias.x='!evil' x", "exec.not-allowlisted"),
            ("git -c alias.x='!evil' status", "ok"),
            ("git -c alias.x='log --oneline' x", "ok"),
            ("git -c alias.x='-c core.pager=evil log' x", "exec.not-allowlisted"),
            ("git -c \"$x\" status", "shell.opaque"),
            ("git --config-env=core.pager=X log", "exec.carrier"),
            ("git --exec-path=/w log", "exec.carrier"),
            ("git --exec-path", "ok"),
            ("git clone -u evil x", "exec.not-allowlisted"),
            ("git fetch --upload-pack=evil x", "exec.not-allowlisted"),
            ("git fetch --upload-pa=evil x", "exec.not-allowlisted"),
            ("git clone 'ext::sh -c id' x", "exec.carrier"),
            ("git clone https://example.com/x", "ok"),
            ("git clone -c core.fsmonitor=evil x", "exec.not-allowlisted"),
            ("git grep -O x", "exec.carrier"),
            ("git grep -n x", "ok"),
            ("git diff --output=/etc/x", "file.outside"),
            ("git diff --output x", "ok"),
            ("git log --oneline -5", "ok"),
            ("git log \"$x\"", "shell.opaque"),
            ("git add \"$x\"", "ok"),
            ("git commit -m \"$x\"", "ok"),
            ("git checkout \"$x\"", "ok"),
            ("git difftool -x evil", "exec.carrier"),
            ("git filter-branch --tree-filter x", "exec.carrier"),
            ("git bisect run evil", "exec.not-allowlisted"),
            ("git bisect run cat x", "ok"),
            ("git bisect good", "ok"),
            ("git submodule foreach 'evil'", "exec.not-allowlisted"),
            ("git submodule update --init", "ok"),
            ("git rebase -x evil main", "exec.not-allowlisted"),
            ("git rebase --exec 'cargo test' main", "ok"),
            ("git config core.fsmonitor evil", "exec.not-allowlisted"),
            ("git config user.name x", "ok"),
            ("git config --get core.pager", "ok"),
            ("git config core.pager", "ok"),
            ("git archive -o /etc/x HEAD", "file.outside"),
            ("git apply x.patch", "ok"),
            ("git apply --unsafe-paths --directory=dir x", "exec.carrier"),
            ("git apply --directory=/outside x", "file.outside"),
            ("git apply --build-fake-ancestor=/outside/x y", "file.outside"),
        ],
    );
}

#[test]
fn tar_may_not_extract_to_other_places() {
    check(
        &developer(),
        &[
            ("tar czf out.tgz .", "ok"),
            ("tar xzf a.tgz", "ok"),
            ("tar tf a.tar", "ok"),
            ("tar tPf a.tar", "ok"),
            ("tar -cPf a.tar /usr/bin", "ok"),
            ("tar -C dir -xf a.tar", "ok"),
            ("tar -C new -xf a.tar", "ok"),
            ("tar xf a.tar --strip-components=1", "ok"),
            ("tar xf a.tar --one-top-level", "ok"),
            ("tar xf a.tar --one-top-level=new", "ok"),
            ("tar xf a.tar --transform=s/a/b/", "ok"),
            ("tar xf x.tar --one-top-level=/outside/otl", "file.outside"),
            ("tar -C .. -xf x.tar --one-top-level=otl", "file.outside"),
            ("tar -xf x.tar -C dir -C ../..", "file.outside"),
            ("tar -P -xf x.tar --transform='s,^,/outside/tr_,'", "exec.carrier"),
            ("tar -P -xf x.tar --xform='s,^,/outside/tr_,'", "exec.carrier"),
            ("tar -xPf x", "exec.carrier"),
            ("tar xPf x", "exec.carrier"),
            ("tar -xf x --absolute-names", "exec.carrier"),
            ("tar --get -f x --absolute-na", "exec.carrier"),
        ],
    );
}

#[test]
fn reasons_name_the_directory_that_gets_files() {
    for line in [
        "tar xf a.tar -C /usr",
        "cp -r x/. /usr",
        "cp -t /usr a",
        "git apply --directory=/usr x",
        "git -C /usr add x",
    ] {
        let Decision::Deny(denial) = decided(&developer(), &script(line), Some(line)) else {
            panic!("{line} is allowed")
        };
        let text = format!("{:?}", denial.reasons);
        assert!(text.contains("`/usr`") && !text.contains("new file"), "{line}: {text}");
    }
}

#[test]
fn find_sed_and_awk_are_judged_by_their_programs() {
    check(
        &developer(),
        &[
            ("find . -name '*.c'", "ok"),
            ("find . -delete", "ok"),
            ("find /etc -delete", "file.outside"),
            ("find . -fprintf /etc/x y", "file.outside"),
            ("find . -fprint x", "ok"),
            ("find $x", "shell.opaque"),
            ("sed -n 1,5p x", "ok"),
            ("sed 's/a/b/e' x", "exec.carrier"),
            ("sed '1e id' x", "exec.carrier"),
            ("sed -e p -e 'e id' x", "exec.carrier"),
            ("sed --expr='e id' x", "exec.carrier"),
            ("sed 'w /etc/x' x", "file.outside"),
            ("sed 's/a/b/w y' x", "ok"),
            ("sed -i s/a/b/ x", "ok"),
            ("sed -i s/a/b/ /etc/passwd", "file.outside"),
            ("sed \"s/a/$x/\" y", "shell.opaque"),
            ("sed -f x.sed y", "exec.carrier"),
            ("awk '{print $1}' x", "ok"),
            ("awk -F: '$3 > 5 {print $1}' x", "ok"),
            ("awk '/a|b/ {n++} END {print n}' x", "ok"),
            ("awk 'BEGIN{system(\"evil\")}'", "exec.not-allowlisted"),
            ("awk 'BEGIN{system(\"git log\")}'", "ok"),
            ("awk 'BEGIN{system(x)}'", "exec.carrier"),
            ("awk '{print | \"evil\"}' x", "exec.not-allowlisted"),
            ("awk '{print | \"sort\"}' x", "ok"),
            ("awk 'BEGIN{\"evil\" | getline x}'", "exec.not-allowlisted"),
            ("awk '{print > \"/etc/x\"}' x", "file.outside"),
            ("awk '{print > \"y\"}' x", "ok"),
            ("awk '{print $1 > $2}' x", "shell.opaque"),
            ("awk '/\"/{system(\"evil\")}' x", "exec.not-allowlisted"),
            ("awk 'BEGIN{a++ /x/ system(\"evil\") /1}'", "exec.carrier"),
            ("awk '{s+=$1} END {print s/NR}' x", "ok"),
            ("awk '{print ($1)/2}' x", "ok"),
        ],
    );
}

#[test]
fn awk_programs_hide_nothing() {
    check(
        &developer(),
        &[
            (r#"awk 'BEGIN{x=1system("evil")}'"#, "exec.carrier"),
            (r#"awk 'BEGIN{x=1e5system("evil")}'"#, "exec.carrier"),
            (r#"awk 'BEGIN{x=0x1system("evil")}'"#, "exec.carrier"),
            (r#"awk 'BEGIN{exit /"/} END{system("evil")} #"'"#, "exec.carrier"),
            (r#"awk 'BEGIN{print /"/} END{system("evil")} #"'"#, "exec.carrier"),
            (r#"awk 'BEGIN{if (1 in /"/) x} END{system("evil")} #"'"#, "exec.carrier"),
            (r#"awk '/[]/"]/{} BEGIN{system("evil")} #"'"#, "exec.carrier"),
            (r#"awk '/[^]/"]/{} BEGIN{system("evil")} #"'"#, "exec.carrier"),
            (r#"awk '/[[:alpha:]/"]/{} BEGIN{system("evil")} #"'"#, "exec.carrier"),
            ("awk 'BEGIN{print \"a\",\n\"b\" > \"/etc/x\"}'", "file.outside"),
            ("awk 'BEGIN{print \"a\" &&\n\"b\" > \"/etc/x\"}'", "file.outside"),
            ("awk 'BEGIN{print \"a\" || # c\n\n\"b\" > \"/etc/x\"}'", "file.outside"),
            (r#"awk 'BEGIN{print "a" > "\057etc\057x"}'"#, "shell.opaque"),
            (r#"awk 'BEGIN{print "a" > "/dev/../etc/x"}'"#, "file.unresolved"),
            ("awk -W exec x", "exec.carrier"),
            ("awk -Wexec x", "exec.carrier"),
            ("awk -f x y", "exec.carrier"),
            ("awk -fx y", "exec.carrier"),
            ("awk --file=x y", "exec.carrier"),
            ("awk --exec x", "exec.carrier"),
            (r#"awk -S 'BEGIN{system("evil")}'"#, "exec.not-allowlisted"),
            (r#"awk 'BEGIN{system("evil")}' -S"#, "exec.not-allowlisted"),
            (r#"awk 'BEGIN{system("evil")}' -e 1"#, "exec.not-allowlisted"),
            (r#"awk -Z C 'BEGIN{system("evil")}'"#, "exec.not-allowlisted"),
            (r#"awk -y C 'BEGIN{system("evil")}'"#, "exec.carrier"),
            ("awk -e \"$x\"", "shell.opaque"),
            (r#"awk -be 'BEGIN{system("evil")}' 1"#, "exec.not-allowlisted"),
            (r#"awk -be1 'BEGIN{system("evil")}'"#, "exec.not-allowlisted"),
            (r#"awk -F , -v x=1 'BEGIN{print x}' "$f""#, "ok"),
            (r#"awk -e1 'BEGIN{system("evil")}'"#, "exec.not-allowlisted"),
            (r#"awk -Z 'BEGIN{system("evil")}' x"#, "exec.not-allowlisted"),
            (r#"awk --assign 'BEGIN{system("evil")}' x"#, "exec.not-allowlisted"),
            ("awk --version", "ok"),
            ("awk -e '{print $1}' /etc/passwd", "ok"),
            ("awk --field-separator=: '{print $1}' /etc/passwd", "ok"),
            (r#"awk -e 'BEGIN{print "a",' -e '"b" > "/etc/x"}'"#, "file.outside"),
            ("awk -F: '$3 > 100 {print $1}' /etc/passwd", "ok"),
            ("awk 'NR==1 || /foo/ {n++} END {print n/2}' f", "ok"),
            ("awk '/^[[:space:]]*a|b/ {print $1 > \"y\"}' f", "ok"),
            ("awk 'BEGIN{x=1e-5; y=.5; z=0x1F; print x/y > \"y\"}' f", "ok"),
            ("awk -v n=3 'NR>n {print; next}\n/x/ {print $1,\n$2}' f", "ok"),
            ("awk '{print $1}' \"$f\"", "ok"),
        ],
    );
    check(
        &developer(),
        &[
            (r#"gawk -S 'BEGIN{system("evil")}'"#, "ok"),
            (r#"gawk --sandbox 'BEGIN{system("evil")}'"#, "ok"),
            (r#"gawk -S -f x"#, "exec.carrier"),
            (r#"gawk 'BEGIN{system("evil")}' --sandbox"#, "exec.not-allowlisted"),
        ],
    );
}

#[test]
fn sed_programs_hide_nothing() {
    check(
        &developer(),
        &[
            ("sed ':x e evil' f", "exec.carrier"),
            ("sed 'v 4.2 e evil' f", "exec.carrier"),
            ("sed '/zz/!s/a/b/;tx e evil\n:x' f", "exec.carrier"),
            ("sed 'bx}e evil' f", "exec.carrier"),
            ("sed ':x;e evil' f", "exec.carrier"),
            ("sed --sandbox -i s/a/b/ /etc/x", "file.outside"),
            ("sed --sandbox \"s/a/$x/\" f", "ok"),
            ("sed -e 'e evil' --sandbox f", "exec.carrier"),
            ("sed 'e evil' --sandbox f", "exec.carrier"),
            ("sed -i'/etc/bak_*' s/a/b/ f", "exec.carrier"),
            ("sed -ni/etc/x s/a/b/ f", "exec.carrier"),
            ("sed '--in-place=/etc/*' s/a/b/ f", "exec.carrier"),
            ("sed -f x", "exec.carrier"),
            ("sed --file=x y", "exec.carrier"),
            ("sed -y x y", "exec.carrier"),
            ("sed 'w /dev/../etc/x' f", "file.unresolved"),
            ("sed 's/[[:alpha:]/]x/y/;e evil' f", "exec.carrier"),
            ("sed -n '1,5p' f", "ok"),
            ("sed 's/a/b/g; /x/d' f", "ok"),
            (r"sed -e ':a' -e 'N;$!ba' -e 's/\n/ /g' f", "ok"),
            (r"sed ':a;N;$!ba;s/\n/ /g' f", "ok"),
            (r"sed -E ':a;N;$!{ba};s/[[:space:]]+/ /g' f", "ok"),
            ("sed -i 's/a/b/' f", "ok"),
            ("sed -i.bak 's/a/b/' f", "ok"),
            ("sed --expression='s#/#_#g'", "ok"),
            ("sed -nE 's/[^]]x/b/p;w /dev/stdout' f", "ok"),
        ],
    );
}

#[test]
fn operands_that_are_written_are_file_requests() {
    check(
        &developer(),
        &[
            ("cp a b", "ok"),
            ("cp a .", "ok"),
            ("cp a dir", "ok"),
            ("cp a /etc", "file.outside"),
            ("cp a /etc/x", "file.outside"),
            ("cp -t /etc a", "file.outside"),
            ("cp --target-dir=/etc a", "file.outside"),
            ("cp /etc/passwd x", "ok"),
            ("mv a b", "ok"),
            ("mv /etc/passwd x", "file.outside"),
            ("cat x | tee y", "ok"),
            ("cat x | tee /etc/y", "file.outside"),
            ("cat x | tee /dev/null", "ok"),
            ("cat x | tee /dev/../etc/y", "file.outside"),
            ("mkdir -p a/b", "ok"),
            ("mkdir -p dir", "ok"),
            ("mkdir /etc/x", "file.outside"),
            ("touch x", "ok"),
            ("touch ../x", "file.outside"),
            ("chmod +x src/a.c", "ok"),
            ("chmod 600 /etc/passwd", "file.outside"),
            ("dd if=x of=/etc/y", "file.outside"),
            ("dd if=x of=y", "ok"),
            ("curl -o /etc/x u", "file.outside"),
            ("curl -so/etc/x u", "file.outside"),
            ("curl -K x", "exec.carrier"),
            ("curl u", "ok"),
            ("ln -s /etc/passwd x", "ok"),
            ("sort -o /etc/x y", "file.outside"),
            ("gcc -o /etc/x y.c", "file.outside"),
            ("tar xf a.tar -C /etc", "file.outside"),
            ("tar cf /etc/a.tar src", "file.outside"),
        ],
    );
}

#[test]
fn assignments_are_environment_requests() {
    check(
        &developer(),
        &[
            ("FOO=1 git log", "ok"),
            ("LANG=C git log", "ok"),
            ("LD_PRELOAD=x git log", "environment.stripped"),
            ("LD_PRELOAD=x", "environment.stripped"),
            ("PATH=/w git log", "exec.carrier"),
            ("PATH=/w:$PATH git log", "exec.carrier"),
            ("PATH=/usr/bin git log", "ok"),
            ("PATH=$PATH:/usr/bin git log", "ok"),
            ("GIT_SSH_COMMAND=evil git fetch", "exec.not-allowlisted"),
            ("GIT_SSH_COMMAND='ssh -i k' git fetch", "ok"),
            ("GIT_SSH_COMMAND=\"$x\" git fetch", "shell.opaque"),
            ("PAGER=cat git log", "ok"),
            ("GIT_PAGER=evil git log", "exec.not-allowlisted"),
            ("EDITOR=true git commit", "ok"),
            ("HOME=/w git status", "exec.carrier"),
            ("GIT_CONFIG_COUNT=1 git status", "environment.stripped"),
            ("GIT_AUTHOR_NAME=x git commit", "ok"),
            ("NODE_OPTIONS=x node y.js", "environment.stripped"),
            ("IFS=, read x", "ok"),
            ("X=1; git log", "ok"),
            ("CC=gcc make", "ok"),
            ("CC=evil make", "exec.not-allowlisted"),
            ("TAR_OPTIONS=x tar xf y", "exec.carrier"),
        ],
    );
}

#[test]
fn a_form_that_is_listed_itself_is_meant() {
    let policy = allowing(&["docker run", "git", "git difftool"]);
    check(
        &policy,
        &[("docker run x", "ok"), ("docker exec x", "exec.not-allowlisted"), ("git difftool", "ok")],
    );
}
