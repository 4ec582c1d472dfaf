#!/usr/bin/env bash
# Model-checks the protocol (models/README.md says what is shown). Each model must pass a complete search, with every
# one of its assertions reached in some configuration, and each named mutation must violate an assertion.
#
#   models/run.sh quick     small constants and all mutations (make test)
#   models/run.sh full      larger constants as well; up to 3.5 GB of memory, one search at a time
#
# JOBS=n: searches at a time (quick: 2). Needs spin 6.5 and a C compiler (CC, default cc). One line per search:
# verdict, model, what was changed, states stored, seconds of processor time of the search.
set -u
mode=${1:-quick}
case $mode in quick) jobs=${JOBS:-2} ;; full) jobs=${JOBS:-1} ;; *) echo "usage: $0 quick|full" >&2; exit 2 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
command -v spin >/dev/null || { echo "$0: spin is not installed" >&2; exit 2; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
TIMEFORMAT=%U
count=0

# search DIRECTORY MODEL OPTIMISATION OPTIONS...: leaves what the search printed in DIRECTORY/out and its
# time in DIRECTORY/time.
search() {
    local directory=$1 model=$2 optimisation=$3; shift 3
    cd "$directory" || return
    # A kill is a rendezvous inside `unless`, with which partial-order reduction is not sound: hence NOREDUCE.
    { spin -a "$@" "$here/$model.pml" && "${CC:-cc}" -w "$optimisation" -DSAFETY -DNOREDUCE -DMEMLIM=3500 \
        $([ "$mode" = full ] && echo -DCOLLAPSE) -o pan pan.c; } >build 2>&1 || { cat build >out; return; }
    { time ./pan -m100000 >out 2>&1; } 2>time
}
report() {      # VERDICT DIRECTORY MODEL NAME
    local states
    states=$(sed -n 's/^ *\([0-9e.+]*\) states, stored.*/\1/p' "$2/out")
    printf '%-6s %-10s %-66s %10s states %7s s\n' "$1" "$3" "$4" "${states:--}" "$(cat "$2/time" 2>/dev/null)"
    [ "$1" = ok ] || { echo "$3 $4" >>"$work/failed"; grep -E 'pan:|rror|arning|max search' "$2/out" | head -5; }
}
must_pass() {   # MODEL OPTIONS...
    local directory=$work/$1.pass.$count; mkdir "$directory"
    ( search "$directory" "$1" -O2 "${@:2}"
      verdict=FAILED
      if grep -q 'errors: 0$' out &&
          ! grep -Eq 'Search not completed|max search depth too small|out of memory|MEMLIM' out; then
          verdict=ok
      fi
      awk '/^unreached in / { where = $NF } /assert\(/ { sub(/^[^,]*\//, ""); print where ": " $0 }' out |
          sort >unreached
      report $verdict "$directory" "$1" "${*:2}" )
}
must_fail() {   # MODEL MUTATION OPTIONS...
    local directory=$work/$1.fail.$count; mkdir "$directory"
    ( search "$directory" "$1" -O0 "-D$2" "${@:3}"
      verdict=PASSED
      if grep -q 'assertion violated' out && grep -q 'errors: 1$' out; then verdict=ok; fi
      report $verdict "$directory" "$1" "${*:2}" )
}
start() {       # at most $jobs searches at a time
    count=$((count + 1))
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    "$@" &
}

start must_pass pin -DKILLS=1
start must_pass pin -DKILLS=2 -DLAST_NUMBER=4
start must_pass pin -DKILLS=1 -DWRITERS=1 -DREADERS=1 -DLAST_NUMBER=6
start must_pass heap -DKILLS=2 -DFREERS=0
start must_pass heap -DKILLS=1 -DALLOCATORS=1 -DROUNDS=2 -DLAST_HEAD=4
start must_pass heap -DVARIANT_BITS_BEFORE_MASK -DKILLS=1 -DFREERS=0
start must_pass heap -DSTASH -DKILLS=2 -DFREERS=0 -DCOLLECTORS=0 -DLAST_HEAD=3
start must_pass heap -DSTASH -DKILLS=0 -DALLOCATORS=1 -DROUNDS=2 -DLAST_HEAD=4
start must_pass checkpoint -DKILLS=1 -DCHECKPOINTS=2
start must_pass holds -DKILLS=1
start must_pass holds -DFORKS=1 -DSTEPS=3 -DCHILD_STEPS=1 -DLAST_NUMBER=4
start must_pass holds -DTHREADS=1
start must_pass holds -DNEW -DSTEPS=3

one_writer="-DKILLS=0 -DWRITERS=1 -DREADERS=1"
for mutation in NO_TAG_NO_REREAD NO_REREAD NO_FENCE COMMIT_BLOCK_UNTESTED SCAN_BEFORE_COMMIT; do
    start must_fail pin MUTATION_$mutation $one_writer
done
start must_fail pin MUTATION_HEAD_AFTER_SCAN -DKILLS=0 -DREADERS=1 -DLAST_NUMBER=4
for mutation in COUNT_AFTER_FREE PENDING_NOT_HEAD DRAINED_WHILE_PENDING FREED_WHILE_PENDING; do
    start must_fail pin MUTATION_$mutation -DKILLS=2
done
for mutation in SWEEP_UNOWNED NO_BIRTH_TEST IN_FLIGHT_UNMARKED MARK_ORDER NO_RESTAMP PENDING_BEFORE_BUILD; do
    start must_fail heap MUTATION_$mutation -DALLOCATORS=1
done
for mutation in GENERATION_FIRST ADOPTED_PENDING_FIRST RELEASED_BEFORE_COMMIT RELEASED_BEFORE_MASK; do
    start must_fail heap MUTATION_$mutation -DKILLS=2 -DFREERS=0
done
for mutation in NOT_STRUCK FREED_BEFORE_FORGOTTEN ADOPTED_BEFORE_FORGOTTEN STASH_ADOPTED_BEFORE_FORGOTTEN; do
    start must_fail heap MUTATION_$mutation -DSTASH -DKILLS=2 -DFREERS=0 -DCOLLECTORS=0 -DLAST_HEAD=2
done
for mutation in STASH_UNMARKED FREED_WITH_OLD_BIRTH; do
    start must_fail heap MUTATION_$mutation -DSTASH -DKILLS=0 -DALLOCATORS=1 -DROUNDS=2 -DLAST_HEAD=4
done
for mutation in SLOTS_BEFORE_PINS DEAD_CLAIM_DROPPED LIVE_SLOT_REUSED NEWEST_OVERWRITTEN NUMBER_DROPPED \
    DATA_AFTER_SLOT DURABLE_BEFORE_FLUSH UNPINNED_BEFORE_CLAIM; do
    start must_fail checkpoint MUTATION_$mutation -DKILLS=1
done
for mutation in HOLDS_BEFORE_PINS UNPINNED_BEFORE_HOLD COUNT_ALONE SCAN_BEFORE_COMMIT; do
    start must_fail holds MUTATION_$mutation -DKILLS=0
done
for mutation in BASE_UNSEEN UNMARKED; do
    start must_fail holds MUTATION_$mutation -DFORKS=1 -DSTEPS=3 -DCHILD_STEPS=1 -DLAST_NUMBER=4
done
start must_fail holds MUTATION_ROLE_AFTER_OWNER -DKILLS=1
start must_fail holds MUTATION_NO_MUTEX -DTHREADS=1
start must_fail holds MUTATION_HELD_AFTER_COMMIT -DNEW -DSTEPS=3

if [ "$mode" = full ]; then
    start must_pass pin -DKILLS=2
    start must_pass pin -DKILLS=2 -DCOMMIT_BLOCKS=4
    start must_pass pin -DKILLS=2 -DANY_CELL
    start must_pass pin -DKILLS=1 -DTAG_BITS=2
    start must_pass pin -DKILLS=1 -DREADERS=1 -DLAST_NUMBER=4
    # The limit of the tag: it wraps exactly once while one writer and one reader are stopped (README).
    start must_pass pin -DKILLS=0 -DREADERS=1 -DLONG_STOP -DLAST_NUMBER=6 -DTAG_BITS=2
    start must_fail pin LONG_STOP -DKILLS=0 -DREADERS=1 -DLAST_NUMBER=6
    start must_pass pin -DKILLS=0 -DREADERS=1 -DLONG_STOP -DLAST_NUMBER=6 -DHEAD_READ_AGAIN
    start must_pass heap -DKILLS=3 -DFREERS=0
    start must_pass heap -DSTASH -DKILLS=1 -DFREERS=0
    start must_pass heap -DSTASH -DKILLS=0 -DALLOCATORS=1 -DROUNDS=3
    for mutation in RECORD_UNMARKED STALE_UNMARKED MOVES_UNCOUNTED; do
        start must_fail heap MUTATION_$mutation -DSTASH -DKILLS=0 -DALLOCATORS=1 -DROUNDS=3
    done
    start must_pass heap -DKILLS=1 -DFREERS=0 -DBLOCKS=3
    start must_pass heap -DKILLS=2 -DALLOCATORS=1 -DLAST_HEAD=4
    start must_pass heap -DKILLS=1 -DALLOCATORS=1 -DROUNDS=2
    start must_pass heap -DKILLS=1 -DLAST_HEAD=4
    start must_pass checkpoint -DKILLS=0
    start must_pass checkpoint -DKILLS=1
    start must_pass checkpoint -DKILLS=2
    start must_pass checkpoint -DKILLS=1 -DLAST_COMMIT=6
    start must_pass checkpoint -DKILLS=1 -DVARIANT_DURABLE_BEFORE_CLAIMS
    start must_pass holds -DSTEPS=5
    start must_pass holds -DSTEPS=5 -DTHREADS=1 -DLAST_NUMBER=6
    start must_pass holds -DKILLS=2
    start must_pass holds -DNEW -DKILLS=1
    start must_pass holds -DFORKS=1 -DSTEPS=3 -DCHILD_STEPS=1
    start must_pass holds -DFORKS=1 -DSTEPS=2 -DKILLS=1
fi
wait

# An assertion that no configuration of a model reaches would prove nothing.
for model in pin heap checkpoint holds; do
    set -- "$work/$model".pass.*/unreached
    vacuous=$(cat "$@" | sort | uniq -c | awk -v all=$# '$1 == all')
    [ -z "$vacuous" ] || { echo "never reached in $model: $vacuous"; echo "$model" >>"$work/failed"; }
done
if [ -e "$work/failed" ]; then echo "models: $(wc -l <"$work/failed") FAILED"; exit 1; fi
echo "models: all $count searches as expected; every assertion is reached"
