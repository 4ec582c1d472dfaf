/*
 * heap.pml: owner, mask, free and sweep (rules H1-H3, H5, G1, G2).
 *
 * What it shows. Two allocators claim a segment, take its free bits into their mask, hand blocks out, commit and let
 * go; a freer drains what commits replaced; a collector marks and sweeps. Anyone, the adopter included, may stop or be
 * killed at any instruction; a dead line is adopted and used again under its next generation. Under all interleavings:
 *   - no block is handed out while anyone builds with it, while a commit reaches it or a pin may, or while somebody is
 *     still going to clear its bit;
 *   - the bit of a block that is in use is never cleared but by the one who frees it, and no bit is cleared twice;
 *   - what a kill costs at most is a leak, which a later sweep may find.
 *
 * Abstractions, and why they lose nothing:
 *   - Sequentially consistent: words that others race for change by atomic read-modify-writes in the code; those of a
 *     line are its own, and read by others only after adoption, which the lock orders.
 *   - One segment, one class, BLOCKS blocks: segments share no words. H4 and H6 are claims like H1's.
 *   - Commits are steps of `head` and of what it reaches; pins, lists and their order are in pin.pml. What commits
 *     replaced is the set `waiting` (queues, `pending`, chunks) from which the freer takes any block at any time.
 *   - With -DSTASH (H7) a stash has one place; that blocks of other segments fill it is left to chance.
 *   - Marking what head reaches is one step: it is immutable, and pinned. The sets that move are read one by one.
 *   - Both the freer's kill and the adoption of what it had in flight are one step: nobody acts on that word but the
 *     marker, for whom clearing it later is only safer.
 */
#ifndef BLOCKS
#define BLOCKS 2                /* at most 3 */
#endif
#ifndef LAST_HEAD
#define LAST_HEAD 5             /* commit numbers go from 2 to this */
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef ROUNDS
#define ROUNDS 1                /* for each allocator */
#endif
#ifndef ALLOCATORS
#define ALLOCATORS 2
#endif
#ifndef FREERS
#define FREERS 1
#endif
#ifndef COLLECTORS
#define COLLECTORS 1
#endif
#define COLLECTOR 2             /* lines 0 and 1 are the allocators' */
#define ALL ((1 << BLOCKS) - 1)

byte head = 2;
byte bits = 1, birth[BLOCKS];   /* the bitmap (a set of blocks is a set of bits) and the blocks' headers */
byte owner;                     /* 0, or OWNER(line) of a line's generation */
byte generation[3], mask[2], build[2];
bool pending[2];
byte waiting, in_flight;        /* replaced; what the freer has taken from there and not yet cleared */
bool dead[3];
chan kill[5] = [0] of { bit };  /* the lines, the adopter, the freer */
#define ADOPTER 3
#define FREER 4

byte reached = 1, used[2], freeing; /* not in the code: what head reaches, is built with, will be cleared */

#define OWNER(line) (1 + (line) + 4 * generation[line])
#define FREE(word)  ((word) == 0 || (word) >> 2 != generation[((word) & 3) - 1])    /* of a dead generation: of none */

#ifdef STASH
byte stash[2], stale[2], flight[2], moves[2];   /* one place; what the record names beyond its count; counter */
bool stashed[2];                                /* the stash's count */
#define LINE stasher
#define IN_FLIGHT (in_flight | flight[0] | flight[1])
#define TAKEABLE (waiting & ~IN_FLIGHT)         /* an entry is in one queue, which one line drains */
#else
#define LINE allocator
#define IN_FLIGHT in_flight
#define TAKEABLE waiting
#endif

inline claim(line) {                                    /* H1 */
    atomic { o = owner; if :: !FREE(o) -> o = 0; goto refused :: else fi }
    atomic { if :: owner == o -> owner = OWNER(line); o = 0 :: else -> o = 0; goto refused fi }
}
inline clear_bits(set) {                                /* fetch_and */
    assert(((set) & (reached | waiting | used[0] | used[1] | freeing)) == 0);
    bits = bits & ~(set)
}

proctype allocator(byte me) {
    byte n, o, block, rounds = ROUNDS;
life:
    {
        skip;
again:
        n = head;                                       /* long ago, if it stops here: others' births may pass it by */
        claim(me);
#ifdef VARIANT_BITS_BEFORE_MASK
        atomic { block = ALL & ~bits; bits = ALL }      /* a kill here leaks these blocks, no more */
        atomic { mask[me] = block; block = 0 }
#else
        block = ALL & ~bits;
        atomic { mask[me] = block; block = 0 }          /* first the mask, */
        bits = bits | mask[me];                         /* then the bits (fetch_or) */
#endif
        do                                              /* H2 */
        :: atomic { mask[me] != 0 ->
               block = 1; do :: !(mask[me] & block) -> block = block << 1 :: else -> break od;
               birth[block >> 1] = n + 1 }              /* bit 1, 2 or 4: block 0, 1 or 2 */
           build[me] = build[me] | block;
           atomic {
               mask[me] = mask[me] & ~block;
               assert((block & (reached | waiting | used[0] | used[1] | freeing)) == 0);
               assert(bits & block);
               used[me] = used[me] | block; block = 0 }
        :: break
        od;
#ifdef MUTATION_RELEASED_BEFORE_COMMIT
        atomic { clear_bits(mask[me]) }
        mask[me] = 0;
        owner = 0;
#endif
        pending[me] = true;
commit:
        atomic {
            if
            :: head == n && used[me] != 0 && n < LAST_HEAD ->
               assert((used[me] & ~bits) == 0);
               head = n + 1; reached = reached | used[me]; used[me] = 0
            :: head != n && n < LAST_HEAD ->            /* lost: the blocks are stamped anew, and again */
               n = head;
#ifndef MUTATION_NO_RESTAMP
               block = 0;
               do
               :: block == BLOCKS -> break
               :: block < BLOCKS && (build[me] & (1 << block)) -> birth[block] = n + 1; block++
               :: else -> block++
               od;
               block = 0;
#endif
               goto commit
            :: used[me] == 0 || head != n || n == LAST_HEAD -> goto give_up
            fi
        }
#ifdef MUTATION_PENDING_BEFORE_BUILD
        pending[me] = false;
        build[me] = 0;
#else
        build[me] = 0;                                  /* while `pending` says that these may be published */
        pending[me] = false;
#endif
        goto release;
give_up:
        pending[me] = false;
        atomic { mask[me] = mask[me] | build[me]; used[me] = 0 }
        build[me] = 0;
release:
#ifndef MUTATION_RELEASED_BEFORE_COMMIT
#ifdef MUTATION_RELEASED_BEFORE_MASK
        owner = 0;
#endif
        atomic { clear_bits(mask[me]) }
        mask[me] = 0;
#ifndef MUTATION_RELEASED_BEFORE_MASK
        owner = 0;
#endif
#endif
refused:
        atomic { rounds--; n = 0; if :: rounds > 0 -> goto again :: else -> goto over fi }
    } unless { atomic { kill[me]?1 -> dead[me] = true; used[me] = 0; n = 0; o = 0; block = 0 } };
    !dead[me] -> goto life;                             /* adopted: the line is another process's */
over:
    skip
}

inline some(set) {
    if :: (set) & 1 -> block = 1 :: (set) & 2 -> block = 2 :: (set) & 4 -> block = 4 fi
}

#ifdef STASH
inline forget() { atomic { stale[me] = stale[me] | block; build[me] = build[me] & ~block } }
/* Into the stash; or, when other segments' blocks fill that, into the mask, or the bit is cleared. */
inline free() {
    if
    :: atomic { !stashed[me] -> stash[me] = block }     /* first the entry, */
       atomic { stashed[me] = true; used[me] = used[me] & ~block }      /* then the count */
    :: atomic { owner == OWNER(me) -> mask[me] = mask[me] | block; used[me] = used[me] & ~block }
    :: atomic { owner != OWNER(me) -> used[me] = used[me] & ~block; assert(bits & block); clear_bits(block) }
    fi
}

/* A line with a stash (H7). What a lost race gives back it frees, and builds anew in its next round. */
proctype stasher(byte me) {
    byte n, o, block, rounds = ROUNDS;
life:
    {
        skip;
again:
        n = head;
        if
        :: claim(me);
           block = ALL & ~bits;
           atomic { mask[me] = block; block = 0 }
           bits = bits | mask[me]
        :: skip                                         /* the stash alone */
        fi;
refused:
        do
        :: atomic { mask[me] != 0 -> some(mask[me]); birth[block >> 1] = n + 1 }
           atomic { stale[me] = 0; build[me] = build[me] | block }
           atomic {
               mask[me] = mask[me] & ~block;
               assert((block & (reached | waiting | used[0] | used[1] | freeing)) == 0);
               assert(bits & block);
               used[me] = used[me] | block; block = 0 }
        :: atomic { stashed[me] -> block = stash[me]; birth[block >> 1] = n + 1 }
           atomic { stale[me] = 0; build[me] = build[me] | block }      /* first the record, */
           atomic {
               stashed[me] = false;                                     /* then the count */
               assert((block & (reached | waiting | used[0] | used[1] | freeing)) == 0);
               assert(bits & block);
               used[me] = used[me] | block; block = 0 }
        :: break
        od;
        pending[me] = true;
        atomic {
            if
            :: head == n && used[me] != 0 && n < LAST_HEAD ->
               assert((used[me] & ~bits) == 0);
               head = n + 1; reached = reached | used[me]; used[me] = 0
            :: goto give_up                             /* lost, or an error */
            fi
        }
        atomic { stale[me] = stale[me] | build[me]; build[me] = 0 }
        pending[me] = false;
        goto release;
give_up:
        pending[me] = false;
#ifndef MUTATION_FREED_WITH_OLD_BIRTH
        n = head;                                       /* read after the hand-outs */
#endif
        do
        :: atomic { build[me] != 0 -> some(build[me]); birth[block >> 1] = n + 1 }
#ifdef MUTATION_FREED_BEFORE_FORGOTTEN
           free(); forget();
#else
           forget(); free();
#endif
           block = 0
        :: atomic { else -> break }
        od;
#ifndef MUTATION_MOVES_UNCOUNTED
        moves[me]++;                                    /* before the record is written over */
#endif
release:
        if
        :: owner == OWNER(me) ->
           atomic { clear_bits(mask[me]) }
           mask[me] = 0;
           owner = 0
        :: owner != OWNER(me)
        fi;
        if
        :: atomic { TAKEABLE != 0 -> some(TAKEABLE); flight[me] = block }
           atomic { waiting = waiting & ~block; used[me] = used[me] | block }   /* R3: the count, then the stash */
           free();
           atomic { flight[me] = 0; block = 0 }
        :: skip
        fi;
        atomic { rounds--; n = 0; if :: rounds > 0 -> goto again :: else -> goto over fi }
    } unless { atomic { kill[me]?1 -> dead[me] = true; used[me] = 0; n = 0; o = 0; block = 0 } };
    !dead[me] -> goto life;
over:
    skip
}

/* Stash before record, all places of both; no sweep if a build was freed meanwhile: its blocks may have passed by. */
inline mark_line(line) {
    count = moves[line];
#ifndef MUTATION_STASH_UNMARKED
    marked = marked | stash[line];
#endif
#ifdef MUTATION_STALE_UNMARKED
    marked = marked | build[line];
#else
#ifndef MUTATION_RECORD_UNMARKED
    marked = marked | build[line] | stale[line];
#endif
#endif
    atomic { if :: moves[line] != count -> goto refused :: else -> count = 0 fi }
}

inline adopt_stash() {
#ifndef MUTATION_NOT_STRUCK
    atomic { if :: stashed[line] -> build[line] = build[line] & ~stash[line] :: else fi }
#endif
    atomic { clear_bits(mask[line]) }
    mask[line] = 0;
    do
    :: atomic { !pending[line] && build[line] != 0 -> some(build[line]) }
#ifdef MUTATION_ADOPTED_BEFORE_FORGOTTEN
       atomic { clear_bits(block) }
#endif
       atomic { stale[line] = stale[line] | block; build[line] = build[line] & ~block }
#ifndef MUTATION_ADOPTED_BEFORE_FORGOTTEN
       atomic { clear_bits(block); block = 0 }
#endif
    :: else -> break
    od;
    atomic { stale[line] = stale[line] | build[line]; build[line] = 0 }
    pending[line] = false;
    if
    :: atomic { stashed[line] -> block = stash[line] }
#ifdef MUTATION_STASH_ADOPTED_BEFORE_FORGOTTEN
       atomic { clear_bits(block); block = 0 }
       stashed[line] = false
#else
       stashed[line] = false;
       atomic { clear_bits(block); block = 0 }
#endif
    :: else
    fi;
    flight[line] = 0;
    atomic { generation[line]++; dead[line] = false }
}
#endif

proctype freer() {
    byte block;
end:
    do
    :: {
endwork:
        do
        :: atomic { head < LAST_HEAD ->         /* somebody's commit, which may replace a block of this segment */
               if :: reached & 1 -> block = 1 :: reached & 2 -> block = 2 :: reached & 4 -> block = 4 :: block = 0 fi;
               head++; reached = reached & ~block; waiting = waiting | block; block = 0 }
        :: atomic { TAKEABLE != 0 -> some(TAKEABLE); in_flight = block }
           atomic { waiting = waiting & ~block; freeing = block }       /* R3: first the count, */
           atomic { freeing = 0; assert(bits & block); clear_bits(block); block = 0 }      /* then the bit */
           in_flight = 0
        od
       } unless { atomic { kill[FREER]?1 -> block = 0; in_flight = 0; freeing = 0 } }
    od
}

proctype collector() {
    byte h, o, marked, block, count;
life:
    {
        atomic { h = head; marked = reached }                           /* G1 */
#ifdef MUTATION_MARK_ORDER
        marked = marked | IN_FLIGHT;
        marked = marked | waiting;
#else
        marked = marked | waiting;                                      /* in the order in which entries move */
#ifndef MUTATION_IN_FLIGHT_UNMARKED
        marked = marked | IN_FLIGHT;
#endif
#endif
#ifdef STASH
        mark_line(0);
        if :: ALLOCATORS > 1 -> mark_line(1) :: else fi;
#endif
#ifndef MUTATION_SWEEP_UNOWNED
        claim(COLLECTOR);
#endif
        do                                                              /* G2 */
        :: atomic { block < BLOCKS ->
               if
#ifdef MUTATION_NO_BIRTH_TEST
               :: bits & (1 << block) & ~marked -> clear_bits(1 << block)
#else
               :: (bits & (1 << block) & ~marked) && birth[block] < h -> clear_bits(1 << block)
#endif
               :: else
               fi;
               block++ }
        :: atomic { else -> break }
        od;
#ifndef MUTATION_SWEEP_UNOWNED
        owner = 0;
#endif
refused:
        goto over
    } unless { atomic { kill[COLLECTOR]?1 -> dead[COLLECTOR] = true; h = 0; o = 0; marked = 0; block = 0; count = 0 } };
    !dead[COLLECTOR] -> goto life;
over:
    skip
}

inline adopt() {
#ifdef STASH
    adopt_stash()
#else
#ifdef MUTATION_GENERATION_FIRST
    generation[line]++;
#endif
    atomic { clear_bits(mask[line]) }
    mask[line] = 0;
#ifdef MUTATION_ADOPTED_PENDING_FIRST
    pending_ = pending[line]; pending[line] = false;
    if :: !pending_ -> atomic { clear_bits(build[line]) } :: else fi;
    build[line] = 0;
#else
    if :: !pending[line] -> atomic { clear_bits(build[line]) } :: else fi;    /* else: unknown, left to the collector */
    build[line] = 0;                                    /* before `pending`, or a second adopter would clear them */
    pending[line] = false;
#endif
#ifdef MUTATION_GENERATION_FIRST
    dead[line] = false
#else
    atomic { generation[line]++; dead[line] = false }   /* from here on the segment can be claimed */
#endif
#endif
}

/* Under the dead line's lock, so by one at a time; if the adopter is killed, another begins anew. */
proctype adopter() {
    byte line, block; bool pending_;
end:
    do
    :: {
endwork:
        do
        :: atomic { dead[COLLECTOR] -> dead[COLLECTOR] = false; generation[COLLECTOR]++ }
        :: atomic { dead[0] -> line = 0 } adopt()
        :: atomic { dead[1] -> line = 1 } adopt()
        od
       } unless { atomic { kill[ADOPTER]?1 -> line = 0; block = 0; pending_ = false } }
    od
}

#define KILL if :: kill[0]!1 :: kill[1]!1 :: kill[COLLECTOR]!1 :: kill[ADOPTER]!1 :: kill[FREER]!1 fi
active proctype killer() {
    skip;
#if KILLS > 0
end1: KILL;
#endif
#if KILLS > 1
end2: KILL;
#endif
#if KILLS > 2
end3: KILL;
#endif
}

init {
    atomic {
        birth[0] = 1;
#ifdef STASH
        birth[1] = 1; bits = 3; stash[0] = 2; stashed[0] = true;      /* as after a drain */
#endif
        run LINE(0); run adopter();
        if :: COLLECTORS > 0 -> run collector() :: else fi;
        if :: FREERS > 0 -> run freer() :: else fi;
        if :: ALLOCATORS > 1 -> run LINE(1) :: else fi
    }
}
