#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the stages of ./dev test and ./dev sanitize, each in a build directory of its own, and ends
# with one line that counts all cases of all runs. A stage that fails does not stop the others.
#
#   tests/run.sh [--list|--check] [STAGE]...     default: the stages that CI runs
#
# --check only looks whether there are such stages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

jobs=2
results=build/results

ci_stages=(format shell length statements gcc layers library examples clang asan ucontext aarch64 stories mariadb production bench units docs deb lint fuzz)
more_stages=(tsan valgrind torture million asan-stories)

# The builds: compiler and options of each. Fault points are for builds that nobody ships; warnings
# are judged without sanitizers, whose code confuses them.
sanitized='-Dbuildtype=debug -Doptimization=1 -Dfault_points=true'
declare -A legs=(
    [gcc]="gcc -Dwerror=true -Ddocs=true"
    [clang]="clang -Dwerror=true -Dfault_points=true"
    [asan]="gcc $sanitized -Db_sanitize=address,undefined"
    [ucontext]="gcc -Dcoro=ucontext"
    [aarch64]="gcc --cross-file build/arm64/where.ini --cross-file tests/aarch64.ini -Druntime_only=true
        -Dvalgrind=false -Dwerror=true -Dfault_points=true"
    # gcc 12's own bookkeeping overruns with thousands of tasks.
    [tsan]="clang $sanitized -Db_sanitize=thread -Db_lundef=false"
    [fuzz]="clang $sanitized -Db_sanitize=address,undefined -Db_lundef=false -Dtests=false -Dfuzz=true"
)
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# A test forks a child that starts threads.
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0

# --- helpers

sources()
{
    find core drivers config daemon docs tests packaging -name '*.[chS]' | sort
}

# Lays out and builds build-LEG.
compile()
{
    local dir=build-$1 options
    read -r -d '' -a options <<<"${legs[$1]}" || true
    local -x CC
    CC="$(command -v ccache || true) ${options[0]}"
    [ -e "$dir/build.ninja" ] || meson setup "$dir" "${options[@]:1}" >"$dir.setup.log" || {
        cat "$dir.setup.log"
        return 1
    }
    rm -f "$dir.setup.log"
    ninja -C "$dir" -j "$jobs" --quiet
}

# Runs the unit tests of a leg: unit_tests LEG MESON-TEST-OPTION...
unit_tests()
{
    local dir=build-$1 log=build-$1/meson-logs/$stage status=0
    shift
    rm -f "$log"*.json
    meson test -C "$dir" --no-rebuild --num-processes "$jobs" --print-errorlogs \
        --logbase "$stage" "$@" || status=$?
    count "$log"*.json # with a wrapper its name is appended
    return "$status"
}

# Runs the stories against the programs of a leg: stories LEG PYTEST-OPTION...
stories()
{
    local dir=build-$1 status=0
    compile "$1"
    shift
    # Stories skip themselves where there is no daemon to tell them about.
    [ -x "$dir/headraced" ] && [ -x "$dir/headracectl" ]
    HEADRACE_BUILD=$PWD/$dir /usr/bin/python3 -m pytest tests/daemon -q -p no:cacheprovider \
        --junitxml="$dir/stories.xml" "$@" || status=$?
    count "$dir/stories.xml"
    return "$status"
}

# Writes down how many cases passed, failed and were skipped in this stage.
count()
{
    /usr/bin/python3 tests/tally.py "$@" >"$results/$stage.count"
}

# --- stages

# What clang's tools think of a source moves between versions; Debian 12's decide.
decides()
{
    [[ $("$1" --version) == *' version 14.'* ]] || {
        "$1" --version
        echo 0 0 1 >"$results/$stage.count"
        return 1
    }
}

stage_format()
{
    decides clang-format || return 0
    sources | grep -v '\.S$' | xargs clang-format --dry-run -Werror
    # Comments are left as they are, so that lists in them stay lists.
    ! sources | LC_ALL=C.UTF-8 xargs grep -nP '^(?=.{101})\s*(/\*| \*|//)'
}

stage_shell()
{
    local script scripts
    mapfile -t scripts < <(grep -rlE '^#!(/usr/bin/env bash|/bin/(ba)?sh)' dev .ci tests packaging)
    for script in "${scripts[@]}"; do
        bash -n "$script"
    done
    shellcheck "${scripts[@]}"
}

stage_length()
{
    local long
    long=$( (sources; find tests packaging daemon -name '*.py' -o -name '*.sh' -o -name '*.lua') |
        sort -u | xargs wc -l | awk '$2 != "total" && $1 > 600')
    [ -z "$long" ] || {
        echo "over 600 lines, which is usually two ideas:"
        echo "$long"
        return 1
    }
}

# What the runtime promises, and how much of it a test pins; its last line is shown.
stage_statements()
{
    /usr/bin/python3 tests/statements.py | tee "$results/$stage.all"
    tail -n 1 "$results/$stage.all" >"$results/$stage.note"
    rm "$results/$stage.all"
}

stage_gcc()
{
    compile gcc
    unit_tests gcc
}

stage_clang()
{
    compile clang
    unit_tests clang
}

stage_asan()
{
    compile asan
    unit_tests asan
}

stage_ucontext()
{
    compile ucontext
    unit_tests ucontext --suite core
}

# The runtime on 64-bit ARM: cross-built, run by qemu-user.
stage_aarch64()
{
    [ -e build/arm64/where.ini ] || {
        echo "no libraries for arm64; see packaging/deps.sh"
        echo 0 0 1 >"$results/$stage.count"
        return
    }
    compile aarch64
    # What qemu-user cannot do: run the program again (process pools), keep a fork of a process with
    # threads whole that starts threads itself (s12_14, three of l3), have a child in its group by
    # the time spawn returns, as its vfork() is a fork, and leave two signals alone that it takes
    # for itself.
    unit_tests aarch64 --timeout-multiplier 4 \
        --test-args='-test_process_ -test_torture_processes -s12_14 -its_group_is_its_own -signals_are_at
                     -l3_a_childs_loop_has -l3_a_job_that -l3_threads_that'
}

stage_layers()
{
    compile gcc
    /usr/bin/python3 tests/layers.py build-gcc
}

# The libraries as they are installed: pkg-config, headers, exports, what they need to run.
stage_library()
{
    compile gcc
    /usr/bin/python3 tests/library.py build-gcc
}

# The programs of docs/from-asyncio.md, in C and in Python.
stage_examples()
{
    local status=0
    compile gcc
    HEADRACE_BUILD=$PWD/build-gcc /usr/bin/python3 -m pytest tests/examples -q -p no:cacheprovider \
        --junitxml=build-gcc/examples.xml || status=$?
    count build-gcc/examples.xml
    return "$status"
}

stage_stories()
{
    stories clang -k 'not production_build'
}

# The MySQL client, and the daemon where it tells bad rows from good ones, with another MariaDB than
# this release's: 11.8 on Debian 12, 10.11 on Debian 13. Tests take mariadbd from PATH.
stage_mariadb()
{
    local status=0
    [ -e build/mariadb/usr/sbin/mariadbd ] || {
        echo "no other MariaDB; see packaging/deps.sh"
        echo 0 0 1 >"$results/$stage.count"
        return
    }
    compile gcc
    compile clang
    local -x PATH=$PWD/build/mariadb/usr/sbin:$PWD/build/mariadb/usr/bin:$PATH
    mariadbd --no-defaults --version | sed 's/^.* Ver \([^ ]*\).*/\1/' >"$results/$stage.note"
    unit_tests gcc --suite drivers --test-args=mysql || status=1
    stories clang -k 'faults_poison or test_tls' || status=1
    count build-gcc/meson-logs/"$stage"*.json build-clang/stories.xml
    return "$status"
}

# The story of a build without fault points, as it is shipped.
stage_production()
{
    stories gcc -k production_build
}

# Whether the benchmarks of runtime and clients work, with the programs that need nothing but a
# compiler. How fast anything is is no test.
stage_bench()
{
    compile gcc
    HEADRACE_BUILD=$PWD/build-gcc /usr/bin/python3 tests/bench/run.py runtime --quick \
        --peers runtime,floor,floor-bare,epoll,libevent
    HEADRACE_BUILD=$PWD/build-gcc /usr/bin/python3 tests/bench/run.py clients --quick \
        --peers headrace,redis-benchmark,libmariadb,floor
}

stage_units()
{
    compile gcc
    local unit
    for unit in build-gcc/packaging/*.service; do
        systemd-analyze security --offline=true --threshold=15 --no-pager "$unit"
    done
}

stage_docs()
{
    compile gcc
    local page said
    for page in docs/man/*.[1-8] build-gcc/docs/*.[1-8]; do
        said=$(groff -man -Tutf8 -ww -z "$page" 2>&1)
        [ -z "$said" ] || {
            echo "$said"
            return 1
        }
    done
}

# Builds the packages; lintian reads them. ./dev package --test installs them, too.
stage_deb()
{
    packaging/deb.sh
}

stage_lint()
{
    decides clang-tidy || return 0
    compile clang
    # Fuzz targets and benchmarks are other builds' own.
    find core drivers config daemon docs tests -name '*.c' ! -path 'tests/fuzz/*' ! -path 'tests/bench/*' |
        sort | xargs -P "$jobs" -n 4 clang-tidy -p build-clang --quiet
}

stage_fuzz()
{
    compile fuzz
    local target name corpus seconds=${HEADRACE_FUZZ_SECONDS:-10} passed=0 failed=0
    for target in $(find build-fuzz/tests/fuzz -maxdepth 1 -type f -name 'fuzz_*' -executable | sort); do
        name=${target##*/fuzz_}
        # What is found goes to the first; the corpus kept in the repository only feeds.
        corpus=("build-fuzz/corpus/$name")
        mkdir -p "${corpus[0]}"
        [ ! -d "tests/fuzz/corpus/$name" ] || corpus+=("tests/fuzz/corpus/$name")
        if "$target" -max_total_time="$seconds" -use_value_profile=1 -rss_limit_mb=2048 \
            -print_final_stats=1 -artifact_prefix="build-fuzz/$name-" "${corpus[@]}"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
        fi
    done
    echo "$passed $failed 0" >"$results/$stage.count"
    [ "$failed" = 0 ]
}

stage_tsan()
{
    compile tsan
    HEADRACE_SLOWER=5 unit_tests tsan --timeout-multiplier 5 --wrapper 'setarch -R'
}

stage_valgrind()
{
    compile gcc
    local tests status=0
    # A handler of ours returns to the instruction that faulted: registers have to be true there.
    local memcheck='valgrind --quiet --error-exitcode=99
        --vex-iropt-register-updates=allregs-at-mem-access'
    export HEADRACE_SLOWER=20 HEADRACE_EMULATED=1
    unit_tests gcc --timeout-multiplier 20 --test-args='-l3_' --wrapper "$memcheck
        --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite" || status=$?
    # What a forked child leaves alone, as it is its parent's, would count as lost.
    for tests in core patch; do
        # shellcheck disable=SC2086
        $memcheck --leak-check=no "build-gcc/tests/$tests/test-$tests" l3_ || status=$?
    done
    return "$status"
}

# Every test of core with its n-th fallible call failing, shared by as many processes as other
# stages have jobs.
stage_torture()
{
    compile asan
    local part parts=() status=0
    for ((part = 0; part < jobs; part++)); do
        build-asan/tests/core/test-core --torture --sample --part "$part/$jobs" \
            >"$results/$stage.$part" &
        parts+=($!)
    done
    for part in "${parts[@]}"; do
        wait "$part" || status=1
    done
    cat "$results/$stage".[0-9]
    tail -q -n 1 "$results/$stage".[0-9] >"$results/$stage.note"
    rm "$results/$stage".[0-9]
    return "$status"
}

# A million tasks parked at once; takes 4.5 GiB.
stage_million()
{
    compile gcc
    local status=0
    build-gcc/tests/core/million || status=$?
    [ "$status" != 77 ] || echo 0 0 1 >"$results/$stage.count"
    [ "$status" = 0 ] || [ "$status" = 77 ]
}

stage_asan-stories()
{
    stories asan -m 'not slow'
}

# --- running them

passed=0 failed=0 skipped=0 failures=()

run_stage()
{
    stage=$1
    local log=$results/$stage.log start=$SECONDS status
    rm -f "$results/$stage.count" "$results/$stage.note"
    printf '%-13s' "$stage"
    # Not as a condition: the shell would forget errexit inside.
    set +e
    (
        set -e
        "stage_$stage"
    ) >"$log" 2>&1 </dev/null
    status=$?
    set -e

    local p=0 f=0 s=0
    if [ -s "$results/$stage.count" ]; then
        read -r p f s <"$results/$stage.count"
        [ "$status" = 0 ] || [ "$f" != 0 ] || f=1
        [ $((p + f + s)) -gt 0 ] || {
            echo "this stage ran no test" >>"$log"
            f=1
        }
    elif [ "$status" = 0 ]; then
        p=1
    else
        f=1
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%5d passed  %3d failed  %3d skipped  %4d s\n' "$p" "$f" "$s" $((SECONDS - start))
    [ ! -s "$results/$stage.note" ] || sed 's/^/    /' "$results/$stage.note"
    [ "$f" = 0 ] || {
        failures+=("$stage")
        echo "--- $stage: the end of $log"
        grep -vE '^(Compiler for C supports|Run-time dep|Dependency |Configuring )' "$log" | tail -n 120
        echo "---"
    }
}

if [ "${1:-}" = --list ]; then
    printf '%s\n' "${ci_stages[*]}" "${more_stages[*]}"
    exit
fi
check=
if [ "${1:-}" = --check ]; then
    check=1
    shift
fi
[ $# -gt 0 ] || set -- "${ci_stages[@]}"
[ "$*" != unit ] || set -- gcc clang asan ucontext
for name; do
    case " ${ci_stages[*]} ${more_stages[*]} " in
    *" $name "*) ;;
    *)
        echo "test: no such stage: $name (there are: ${ci_stages[*]} ${more_stages[*]})" >&2
        exit 64
        ;;
    esac
done
[ -z "$check" ] || exit 0

pkg-config --exists yyjson || {
    echo "test: yyjson is not found; run ./dev test, which gets it and knows where it is" >&2
    exit 1
}
mkdir -p "$results"
for name; do
    run_stage "$name"
done
[ ${#failures[@]} = 0 ] || echo "failed: ${failures[*]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
