/*
 * holds.pml: containers that nothing names, holds, and their removal (rule G3).
 *
 * What it shows. There is one container, X. Processes read commits, find X there and take a hold on it, name it in a new
 * commit and unname it again, and remove it when they have unnamed it last: two commits empty it, and the second also frees
 * its place. A process may fork; its child has its parent's handle. Anyone may stop at any instruction (it is not
 * scheduled) or be killed there (`killer`); an adopter, which may be killed too, takes over a dead process's line. Under
 * all interleavings:
 *   - what a live process holds is whole, as is what a pinned commit names: neither is ever emptied;
 *   - what is emptied nothing names, and nobody names it afterwards;
 *   - one alone empties it;
 *   - a child that comes late finds what its parent let go of whole, or gone, never half of it;
 *   - a kill costs at most an orphan that nobody removes, and without kills every orphan is noted by somebody.
 *
 * Abstractions, and why they lose nothing:
 *   - Accesses are sequentially consistent. In the code a hold is published by a seq_cst fetch-or before the release of the
 *     pin, and the scan reads both with seq_cst: what the argument needs of order is program order on both sides.
 *   - What a commit says of X is kept for ever, by the commit's number: that its blocks stay while it is pinned is in
 *     pin.pml, and that a pin is exact, too. Pins are set here as C1 sets them, without tags, since blocks are not reused.
 *   - Who commits does not pin the base: such a pin only keeps more. A commit is one compare-and-swap of head.
 *   - A hold is one bit for X alone. Others with the same hash only keep more.
 *   - X is named at most once, so that each removal of a name is the last. Names beyond the first change nothing here.
 *   - A thread has one note at a time. Where one is due and there is another the name is not taken.
 *   - Of the 31 bits that an orphan has of its commit's number all are there: the limit is in the text.
 */
#ifndef LAST_NUMBER
#define LAST_NUMBER 5           /* commits go from 1 to this number, whoever makes them */
#endif
#ifndef STEPS
#define STEPS 4                 /* what each process does, of its own choice */
#endif
#ifndef CHILD_STEPS
#define CHILD_STEPS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef FORKS
#define FORKS 0                 /* 1: process 0 may fork process 2 */
#endif
#ifndef THREADS
#define THREADS 0               /* 1: actors 0 and 1 are threads of one process, with one line */
#endif
#define CHILD 2
#define ACTORS 3
#define LINES 3

/* What a commit says of X. */
#define GONE  0                 /* its place is free, or has not been taken yet */
#define HALF  1                 /* an orphan of which a part is gone */
#define WHOLE 2                 /* an orphan, all of it */
#define NAMED 3
byte kind[LAST_NUMBER + 1], since[LAST_NUMBER + 1];
byte head = 1;
byte pin[ACTORS];               /* 0: no pin */

/* Lines of the coordination file. An owner is a process + 1. */
byte owner[LINES];
bool holds_role[LINES], bit_set[LINES];

/* Private to a process: its line + 1, how many handles it has, the mutex. */
byte line_of[ACTORS], count[ACTORS];
bool locked[ACTORS];
/* Private to a thread: since when X is an orphan by its doing, and whether it has begun to empty it. */
byte note[ACTORS];
bool begun[ACTORS];

/* Of the proof alone: who holds X, and whose pin is validated; who empties it; who is dead, who has finished. */
bool held[ACTORS], sure[ACTORS], dead[ACTORS];
byte emptier;
byte started, finished;
chan kill[ACTORS] = [0] of { bit };
chan kill_adopter = [0] of { bit };

#if THREADS
#define MINE (me == CHILD -> CHILD : 0)
#else
#define MINE me
#endif

/* C1. From the label `again`; leaves the number in pin[me]. */
inline set_pin() {
    w = head;
    pin[me] = w;
    atomic { if :: head != w -> pin[me] = 0; goto again :: else -> sure[me] = true; w = 0 fi }
}
inline let_pin_go() {
    atomic { pin[me] = 0; sure[me] = false }
}

/* Holds::have_line: a free line, cleared, and then one of holds. */
inline have_line() {
    atomic {
        if
        :: owner[0] == 0 -> l = 0
        :: owner[0] != 0 && owner[1] == 0 -> l = 1
        :: else -> l = 2
        fi;
        assert(owner[l] == 0);
        owner[l] = MINE + 1; line_of[MINE] = l + 1; bit_set[l] = false; l = 0
    }
    holds_role[line_of[MINE] - 1] = true
}
#ifdef MUTATION_NO_MUTEX
#define LOCK   true
#define UNLOCK skip
#else
#define LOCK   atomic { !locked[MINE] -> locked[MINE] = true }
#define UNLOCK locked[MINE] = false
#endif
/* Holds::add. */
inline add_hold() {
    LOCK;
    if :: line_of[MINE] == 0 -> have_line() :: else fi;
    count[MINE]++;
    if :: count[MINE] == 1 -> bit_set[line_of[MINE] - 1] = true :: else fi;
    UNLOCK;
    atomic { has = true; held[me] = true }
}
/* Holds::remove. In a child that has not published yet only the count is its own. */
inline remove_hold() {
    atomic { has = false; held[me] = false }
    LOCK;
    count[MINE]--;
    if :: count[MINE] == 0 && line_of[MINE] != 0 -> bit_set[line_of[MINE] - 1] = false :: else fi;
    UNLOCK
}
/* Holds::publish_again: when the child uses the store first. */
inline publish_again() {
    if
    :: line_of[me] == 0 ->
       have_line();
       if :: count[me] > 0 -> bit_set[line_of[me] - 1] = true :: else fi
    :: else
    fi
}

/* Nobody who lives may lose what is emptied now. Part of the commit that empties it. */
inline expect_unused() {
    assert(kind[w] != NAMED && kind[w] != GONE);
    assert(emptier == 0 || emptier == me + 1);
    emptier = me + 1;
    i = 0;
    do
    :: i == ACTORS -> break
    :: i < ACTORS ->
       assert(!held[i]);
       assert(!(sure[i] && kind[pin[i]] == NAMED));
       i++
    od;
    i = 0
}

/* One attempt at a commit on w; lost: from `retry` again. */
inline publish(new_kind, new_since) {
    if
    :: head != w -> goto retry
    :: else -> head = w + 1; kind[head] = new_kind; since[head] = new_since
    fi
}

/* Does anybody hold it? Holds::is_held: one line after the other. */
inline scan_holds() {
    i = 0;
    do
    :: atomic { i == LINES -> i = 0; break }
    :: i < LINES ->
       atomic { if :: holds_role[i] && bit_set[i] -> busy = true :: else fi; i++ }
    od
}
/* Is one older than the note pinned? One pin after the other. */
inline scan_pins(number) {
    i = 0;
    do
    :: atomic { i == ACTORS -> i = 0; break }
    :: i < ACTORS ->
       atomic { if :: pin[i] != 0 && pin[i] < number -> busy = true :: else fi; i++ }
    od
}

#ifdef MUTATION_COUNT_ALONE
#define STILL_SINCE(me) (kind[w] == WHOLE || kind[w] == HALF)
#else
#ifdef MUTATION_BASE_UNSEEN
#define STILL_SINCE(me) (kind[w] != GONE)
#else
#define STILL_SINCE(me) (kind[w] == (begun[me] -> HALF : WHOLE) && since[w] == note[me])
#endif
#endif

/* orphans.cc: looks, then empties by two commits. */
inline work_off() {
    busy = false;
#ifdef MUTATION_SCAN_BEFORE_COMMIT
    busy = early;
    scan_holds();
#else
#ifdef MUTATION_HOLDS_BEFORE_PINS
    scan_holds();
    scan_pins(note[me]);
#else
    scan_pins(note[me]);
    scan_holds();
#endif
#endif
    do
    :: atomic { busy || note[me] == 0 || head == LAST_NUMBER -> busy = false; break }
    :: else ->
       w = head;
       atomic {
           if
           :: !STILL_SINCE(me) -> note[me] = 0; begun[me] = false
           :: STILL_SINCE(me) && head == w && head < LAST_NUMBER ->
              expect_unused();
              if
              :: kind[w] != HALF -> kind[w + 1] = HALF; since[w + 1] = since[w]; begun[me] = true
              :: else -> kind[w + 1] = GONE; note[me] = 0; begun[me] = false
              fi;
              head = w + 1
           :: else                                      /* lost: on the newer one */
           fi;
           w = 0
       }
    od
}

/* The last to finish counts: an orphan that is noted by nobody is a leak, and costs a kill. */
inline finish() {
    atomic {
        finished++;
        if
        :: finished < started || dead[0] || dead[1] || dead[CHILD]
        :: else ->
           assert(kind[head] == NAMED || kind[head] == GONE ||
               note[0] == since[head] || note[1] == since[head] || note[CHILD] == since[head])
        fi
    }
}

/* `has`: it has a handle on X, which is its own hold if held[me], and else what it has of its parent. */
proctype actor(byte me; bool has) {
    byte w, i, l, steps;
    bool busy, early, forked;
    {
        steps = (me == CHILD -> STEPS - CHILD_STEPS : 0);
#ifdef NEW
        if
        :: me == 0 ->                           /* X is made, named by nobody, held by its maker */
#ifndef MUTATION_HELD_AFTER_COMMIT
           add_hold();
#endif
           atomic { head++; kind[head] = WHOLE; since[head] = head; note[me] = head }
#ifdef MUTATION_HELD_AFTER_COMMIT
           work_off();
           add_hold();
#endif
        :: else
        fi;
#endif
next:
        if :: me == CHILD && has -> goto inherited :: else fi;
choose:
        if
        :: atomic { steps == STEPS -> goto last }
        :: atomic { steps < STEPS && pin[me] == 0 -> steps++ }
again:     set_pin()
        :: atomic { steps < STEPS && pin[me] != 0 -> steps++ }
           let_pin_go()
        :: atomic { steps < STEPS && pin[me] != 0 && kind[pin[me]] == NAMED && !has -> steps++ }
#ifdef MUTATION_UNPINNED_BEFORE_HOLD
           let_pin_go();
           add_hold()
#else
           add_hold();
           let_pin_go()
#endif
        :: atomic { steps < STEPS && has -> steps++ }
           remove_hold()
        :: atomic { has ->                              /* reads it by its handle, in the newest commit */
#ifdef MUTATION_UNMARKED
           assert(kind[head] != HALF);
#endif
           assert(!held[me] || kind[head] == WHOLE || kind[head] == NAMED); steps = STEPS } goto last
        :: atomic { steps < STEPS && (has || (sure[me] && kind[pin[me]] == NAMED)) -> steps++ }
retry:     w = head;                                    /* names it */
           atomic {
               if
               :: w == LAST_NUMBER || kind[w] == NAMED
               :: w < LAST_NUMBER && (kind[w] == GONE || kind[w] == HALF) ->
                  assert(!held[me] && !(sure[me] && kind[pin[me]] == NAMED))
               :: else -> publish(NAMED, 0)
               fi;
               w = 0
           }
        :: atomic { steps < STEPS && note[me] == 0 -> steps++ }
#ifdef MUTATION_SCAN_BEFORE_COMMIT
           early = false; busy = false;
           scan_pins(head + 1);
           early = busy; busy = false;
#endif
           w = head;                                    /* takes its name away; a lost race is a step less */
           atomic {
               if
               :: w < LAST_NUMBER && kind[w] == NAMED && head == w ->
                  head = w + 1; kind[head] = WHOLE; since[head] = head; w = head
               :: else -> w = 0
               fi
           }
           atomic { note[me] = w; w = 0 }               /* killed before: an orphan that nobody removes */
        :: atomic { steps < STEPS && note[me] != 0 -> steps++ }
           work_off()
#if FORKS
        :: atomic { me == 0 && !forked && steps < STEPS ->
           steps++; forked = true; started++; count[CHILD] = count[0]; run actor(CHILD, has) }
#endif
        fi;
        goto choose;
inherited:                                              /* the child has its parent's handle, and no line yet */
        if
        :: publish_again(); goto choose
        :: atomic { has = false; count[me]-- } goto choose
        fi;
last:
        let_pin_go();
        if :: has -> remove_hold() :: else fi;
        if :: note[me] != 0 -> work_off() :: else fi;
        finish()
    } unless { atomic { kill[me]?1 ->
        dead[me] = true; held[me] = false; sure[me] = false;
        w = 0; i = 0; l = 0; busy = false; early = false } }
}

/* Under the dead process's lock, so by one at a time. */
proctype adopter() {
    byte p, l;
end:
    do
    :: {
endwork:
        do
        :: atomic { dead[0] && pin[0] != 0 -> pin[0] = 0 }
        :: atomic { dead[1] && pin[1] != 0 -> pin[1] = 0 }
        :: atomic { dead[CHILD] && pin[CHILD] != 0 -> pin[CHILD] = 0 }
        :: atomic {
               owner[0] != 0 && dead[owner[0] - 1] -> l = 0
           }
           goto adopt
        :: atomic { owner[1] != 0 && dead[owner[1] - 1] -> l = 1 } goto adopt
        :: atomic { owner[2] != 0 && dead[owner[2] - 1] -> l = 2 } goto adopt
        od;
adopt:
#ifdef MUTATION_ROLE_AFTER_OWNER
        owner[l] = 0;
        atomic { holds_role[l] = false; l = 0 }
#else
        holds_role[l] = false;
        atomic { owner[l] = 0; l = 0 }
#endif
       } unless { atomic { kill_adopter?1 -> l = 0 } }
    od                                                  /* killed: another begins anew */
}

#define KILL if :: kill[0]!1 :: kill[1]!1 :: kill[CHILD]!1 :: kill_adopter!1 fi
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
#ifdef NEW
        kind[1] = GONE;
#else
        kind[1] = NAMED;
#endif
        started = 2;
        run actor(0, false); run actor(1, false); run adopter()
    }
}
