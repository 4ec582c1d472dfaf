/*
 * pin.pml: head, pins, reuse and adoption (rules C1, C2, R1, R3).
 *
 * What it shows. Two writers commit by one compare-and-swap of `head`, drain what they replaced, and it is reused at
 * once; a reader pins as C1 says. Anyone may stop at any instruction (it is not scheduled) or be killed there
 * (`killer`), and an adopter, which may be killed too, takes over a dead line. Under all interleavings:
 *   - what a validated pin leads to is allocated, with the births its commit recorded: never reused under the pin;
 *   - no block is freed twice, and none is free while head reaches it;
 *   - commit numbers grow by one along head;
 *   - a kill costs at most a leak, and without a kill nothing is leaked.
 *
 * Abstractions, and why they lose nothing:
 *   - Accesses are sequentially consistent. The one place where a store must be seen before a later load is the
 *     exchange of the pin's number, a full fence in the code too; MUTATION_NO_FENCE takes it away. The rest is release
 *     and acquire.
 *   - The tag of a head word is TAG_BITS wide instead of 20: it wraps sooner, which only allows more.
 *   - The store is two cells, one per writer (ANY_CELL: any); a commit replaces the block in one of them, so its list
 *     has one entry and the drained count is 0 or 1. Longer lists repeat the same step.
 *   - Taking and filling blocks is one step: nobody else looks into them yet, except at the number of a recycled commit
 *     block, which is a single store. What allocation itself needs is in heap.pml.
 *   - A freed block is wiped at once, except the number of a commit block (its size class keeps that word a number). So
 *     a data block need not be reused to show that it could be; a commit block is taken from any free place.
 *   - The pin's offset is for the collector alone and is left out; so are the fallback pin (it protects everything, so
 *     it only keeps more), waiting chunks, checkpoints (checkpoint.pml) and C2's cached scans: a scan serves one drain.
 */
#ifndef LAST_NUMBER
#define LAST_NUMBER 5           /* commits go from 2 to this number, whoever makes them */
#endif
#ifndef COMMIT_BLOCKS
#define COMMIT_BLOCKS 3
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef TAG_BITS
#define TAG_BITS 1
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef READERS
#define READERS 0               /* a writer that has pinned is a reader too; a reader proper costs many states */
#endif
#define READER 2                /* lines 0 and 1 are the writers' */

/* A head word is {block, tag of its number}; a queue word is {first commit block, drained count}. Block 0 is none. */
#define OFFSET(word)    ((word) & 7)
#define TAG(number)     ((number) & ((1 << TAG_BITS) - 1))
#define HEAD(c, number) ((c) | (TAG(number) << 3))
#define DRAINED 8

typedef Commit { bool used; byte number; byte born[2]; byte replaced; byte next }
Commit commit[COMMIT_BLOCKS + 1];
byte in_use;                    /* the published data blocks, a bit per birth */
byte waiting;                   /* those in waiting chunks */
byte head;
byte pinned[3];                 /* 0: no pin */
byte pending[2], queue[2];
bool dead[3];
byte finished;
chan kill[3] = [0] of { bit };
chan kill_adopter = [0] of { bit };

#define BIT(number)  (1 << (number))
#define INTACT(c, n) (commit[c].used && commit[c].number == (n) && \
    (in_use & BIT(commit[c].born[0])) && (in_use & BIT(commit[c].born[1])))

inline free_data(born_) {
    assert(in_use & BIT(born_));
    assert(commit[OFFSET(head)].born[0] != born_ && commit[OFFSET(head)].born[1] != born_);
    in_use = in_use & ~BIT(born_)
}
inline free_commit(block) {
    assert(commit[block].used);
    assert(OFFSET(head) != block);
    commit[block].used = false; commit[block].replaced = 0; commit[block].next = 0;
    commit[block].born[0] = 0; commit[block].born[1] = 0
}

/* C1, from the label `again`. Leaves the head word in w and the number in n. */
inline pin(me) {
    w = head;
    atomic {
        n = commit[OFFSET(w)].number;
#ifndef MUTATION_NO_TAG_NO_REREAD
        if :: TAG(n) != w >> 3 -> w = 0; n = 0; goto again :: else fi   /* recycled */
#endif
    }
#ifndef MUTATION_NO_FENCE
    pinned[me] = n;                                                     /* the exchange */
#endif
    atomic { if :: head != w -> w = 0; n = 0; goto again :: else fi }
#ifdef MUTATION_NO_FENCE
    pinned[me] = n;
#endif
#if !defined(MUTATION_NO_TAG_NO_REREAD) && !defined(MUTATION_NO_REREAD)
    atomic { if :: commit[OFFSET(w)].number != n -> w = 0; n = 0; goto again :: else fi }
#endif
#ifdef HEAD_READ_AGAIN
    atomic { if :: head != w -> w = 0; n = 0; goto again :: else fi }
#endif
}

/* C2: one pin after the other, while they change; the line's own is none. A set of numbers, where bit 0 is "no pin". */
inline scan_pins(line) {
    scan = BIT(pinned[1 - line]);
    scan = scan | BIT(pinned[READER])
}

/* R3: puts a published commit block at the end of its line's queue. The walk is the line's own; one word is written. */
inline enqueue(line, block) {
    atomic {
        if
        :: queue[line] == 0 -> queue[line] = block
        :: else ->
           i = OFFSET(queue[line]);
           do
           :: i != block && commit[i].next != 0 -> i = commit[i].next
           :: else -> break
           od;
           if :: i != block -> commit[i].next = block :: else fi;       /* else it is there already */
           i = 0
        fi
    }
}

/* R1, R3. `seen` is head from before the scan: a commit that was head then may be pinned behind the scan's back. */
#define FIRST(line)     OFFSET(queue[line])
#define LIST_DONE(line) (queue[line] >= DRAINED || commit[FIRST(line)].replaced == 0)
#define VISIBLE(line)   (scan & (BIT(commit[FIRST(line)].number) - BIT(commit[FIRST(line)].replaced)))
#ifdef MUTATION_COMMIT_BLOCK_UNTESTED
#define NAMED(line)     false
#else
#define NAMED(line)     (scan & BIT(commit[FIRST(line)].number))
#endif
inline drain(line) {
#ifdef MUTATION_HEAD_AFTER_SCAN
    scan_pins(line); seen = OFFSET(head);
#else
    seen = OFFSET(head);
#ifndef MUTATION_SCAN_BEFORE_COMMIT
    scan_pins(line);
#endif
#endif
    do
    :: atomic { queue[line] != 0 && !LIST_DONE(line) && !VISIBLE(line) ->
       c = commit[FIRST(line)].replaced;
#ifdef MUTATION_COUNT_AFTER_FREE
       free_data(c); c = 0 };
       queue[line] = queue[line] | DRAINED
#else
       queue[line] = queue[line] | DRAINED };                           /* first the count, */
       atomic { free_data(c); c = 0 }                         /* then the bit */
#endif
    :: atomic { queue[line] != 0 && !LIST_DONE(line) && VISIBLE(line) ->
       waiting = waiting | BIT(commit[FIRST(line)].replaced); queue[line] = queue[line] | DRAINED }
    :: atomic { queue[line] != 0 && LIST_DONE(line) && FIRST(line) != seen && !NAMED(line) ->
       c = FIRST(line); queue[line] = commit[c].next };                 /* first the queue, */
       atomic { free_commit(c); c = 0 }                                 /* then the bit */
    :: atomic { else -> seen = 0; scan = 0; break }
    od
}

/* A commit block c on top of w and n in any free place, with a new data block; c = 0 if there is no room. */
inline build(me) {
    if
    :: !commit[1].used -> c = 1
    :: !commit[2].used -> c = 2
    :: !commit[3].used -> c = 3
#if COMMIT_BLOCKS > 3
    :: !commit[4].used -> c = 4
#endif
    :: else -> c = 0
    fi;
    if
    :: c == 0 -> w = 0; n = 0
    :: else ->
#ifdef ANY_CELL
       if :: i = 0 :: i = 1 fi;
#else
       i = me;
#endif
       commit[c].used = true; commit[c].number = n + 1; commit[c].replaced = commit[OFFSET(w)].born[i];
       commit[c].born[i] = n + 1; commit[c].born[1 - i] = commit[OFFSET(w)].born[1 - i]; i = 0
    fi
}

/* The last to finish counts: without a kill, every block in use is reachable from head or waits in a queue. */
inline finish() {
    atomic {
        finished++;
        if
        :: finished < WRITERS + READERS || dead[0] || dead[1] || dead[READER]
        :: else ->
           w = BIT(OFFSET(head)); n = BIT(commit[OFFSET(head)].born[0]) | BIT(commit[OFFSET(head)].born[1]);
           do
           :: seen == 2 -> break
           :: seen < 2 ->
              i = FIRST(seen);
              if :: i != 0 && !LIST_DONE(seen) -> n = n | BIT(commit[i].replaced) :: else fi;
              do
              :: i == 0 -> break
              :: i != 0 -> w = w | BIT(i); i = commit[i].next;
                  if :: i != 0 -> n = n | BIT(commit[i].replaced) :: else fi
              od;
              seen++
           od;
           assert(in_use == (n | waiting));
           i = 1;
           do
           :: i > COMMIT_BLOCKS -> break
           :: i <= COMMIT_BLOCKS -> assert(commit[i].used == ((w >> i) & 1)); i++
           od;
           w = 0; n = 0; i = 0; seen = 0
        fi
    }
}

#ifdef LONG_STOP
#define LAST_TRY(me) (me == 1)
#else
#define LAST_TRY(me) false
#endif
proctype writer(byte me) {
    byte w, n, c, i, seen;
    short scan;
    {
        skip;
again:
#ifdef LONG_STOP
        if :: atomic { me == 1 -> w = HEAD(1, 2); n = 2 } goto pinned_long_ago :: else fi;
#endif
        pin(me);
pinned_long_ago:
        atomic {
            assert(INTACT(OFFSET(w), n));
            if :: n == LAST_NUMBER -> w = 0; n = 0; goto last :: else fi;
            build(me);
            if :: c == 0 -> goto last :: else fi;                       /* NoSpace */
            pending[me] = c             /* killed before this: a leak, as after it */
        }
#ifdef MUTATION_SCAN_BEFORE_COMMIT
        scan_pins(me);
#endif
        atomic {                                                        /* the commit, all of it */
            if
            :: head == w ->
               assert(commit[OFFSET(w)].number + 1 == commit[c].number);
               in_use = in_use | BIT(n + 1);
               assert(INTACT(c, n + 1));
               head = HEAD(c, n + 1); w = 0; n = 0
            :: else -> goto lost
            fi
        }
        enqueue(me, c);
        atomic { pending[me] = 0; c = 0 }
        pinned[me] = 0;
        drain(me);
        if :: LAST_TRY(me) -> goto last :: else -> goto again fi;
lost:
#ifdef MUTATION_FREED_WHILE_PENDING
        atomic { free_commit(c); c = 0; w = 0; n = 0 }
        pending[me] = 0;
#else
        pending[me] = 0;                                                /* before c can be another's */
        atomic { free_commit(c); c = 0; w = 0; n = 0 }
#endif
        if :: LAST_TRY(me) -> goto last :: else -> goto again fi;
last:
        pinned[me] = 0;
        drain(me);
        finish()
    } unless { atomic { kill[me]?1 -> dead[me] = true; w = 0; n = 0; c = 0; i = 0; seen = 0; scan = 0 } }
}

proctype reader() {
    byte w, n, i, seen;
    {
        skip;
again:
        pin(READER);
        atomic { assert(INTACT(OFFSET(w), n)); w = 0; n = 0 }           /* as late as it likes */
        pinned[READER] = 0;
        finish()
    } unless { atomic { kill[READER]?1 -> dead[READER] = true; w = 0; n = 0 } }
}

/* Under the dead line's lock, so by one at a time. */
inline adopt() {
    pinned[line] = 0;
#ifdef MUTATION_DRAINED_WHILE_PENDING
    drain(line);
#endif
    if
#ifdef MUTATION_PENDING_NOT_HEAD
    :: atomic { pending[line] != 0 -> c = pending[line] }
#else
    :: atomic { pending[line] != 0 && pending[line] == OFFSET(head) -> c = pending[line] }
#endif
       enqueue(line, c); c = 0
    :: else                                             /* nothing, or unknown: left to the collector */
    fi;
    pending[line] = 0;                                  /* before the drain: what is drained can be another's */
    drain(line)
}

proctype adopter() {
    byte line, n, c, i, seen;
    short scan;
end:
    do
    :: {
endwork:
        do
        :: atomic { dead[READER] && pinned[READER] != 0 -> pinned[READER] = 0 }
        :: atomic { dead[0] && (pinned[0] != 0 || pending[0] != 0 || queue[0] != 0) -> line = 0 } adopt()
        :: atomic { dead[1] && (pinned[1] != 0 || pending[1] != 0 || queue[1] != 0) -> line = 1 } adopt()
        od
       } unless { atomic { kill_adopter?1 -> line = 0; n = 0; c = 0; i = 0; seen = 0; scan = 0 } }
    od                                                  /* killed: another begins anew */
}

#define KILL if :: kill[0]!1 :: kill[1]!1 :: kill[READER]!1 :: kill_adopter!1 fi
active proctype killer() {
    skip;
#if KILLS > 0
end1: KILL;
#endif
#if KILLS > 1
end2: KILL;
#endif
}

init {
    atomic {
        in_use = BIT(1) | BIT(2);
        commit[1].used = true; commit[1].number = 2; commit[1].born[0] = 1; commit[1].born[1] = 2;
#ifdef LONG_STOP                /* writer 1 made commit 2, pinned it, and makes one more attempt, however late */
        head = HEAD(1, 2); queue[1] = 1; pinned[1] = 2;
#else
        head = HEAD(1, 2); queue[0] = 1;
#endif
        run writer(0); run adopter();
        if :: WRITERS > 1 -> run writer(1) :: else fi;
        if :: READERS > 0 -> run reader() :: else fi
    }
}
