import CKernels
import Tape

/// A place that instructions of a block program read or write: a register (a block of elements in scratch) or a value's memory.
struct BlockEntry: BitwiseCopyable {
  var value: Int32 = -1
  /// The value that this one is a piece of, -1: it is whole.
  var parent: Int32 = -1
  var register: Int32 = -1
  /// Bytes an element.
  var size: Int32
  /// Memory whose pointer moves on with the block.
  var advances = false
  /// Memory that is stretched: element i is (i / rep) % period.
  var rep = 1, period = 1
  /// Memory seen through a map: where that begins in `BlockCode.maps`.
  var map: Int32 = -1
  /// A register that something fills once a run.
  var filled = false
  /// Bools in memory, eight to a byte.
  var bits = false
  /// The place from which numbers are reached that lie near it.
  var around: Ref?
}

/// kernel(x, y, z, out) on the block; or a part of machine code. Otherwise elements are moved: where `out` is 0, by the store numbered x; otherwise
/// `out` is made to show the stretched or mapped memory `x`. Where y is not 0, x's memory and what lies beside it fill the y registers in `columns` from z on.
struct BlockInstruction {
  var kernel: ck_kernel?
  /// The kernel's code among those of scalar programs.
  var code: Int32 = -1
  var part: Int32 = -1
  var x: Int32, y: Int32, z: Int32, out: Int32
  init(code: Int32 = -1, part: Int32 = -1, x: Int32 = 0, y: Int32 = 0, z: Int32 = 0, out: Int32 = 0) {
    kernel = ck_scalar_kernel(code)
    self.code = code
    self.part = part
    self.x = x
    self.y = y
    self.z = z
    self.out = out
  }
}

/// A register filled once a run: a number or a short row that every block repeats.
struct BlockFill: BitwiseCopyable {
  var source: Int32, target: Int32
  /// 2 or 3 for the 16-bit formats, which are widened through `temporary`.
  var dtype: UInt8
}

struct BlockUse: BitwiseCopyable {
  var value: Int32
  /// The instruction that reads it last, or writes it; the largest and -1 where that is not element by element, or of a piece.
  var instruction: Int32
}

/// `count` of the entries in `BlockCode.columns`, stored side by side: each has rows of `width` elements, which come `pitch` apart
/// in the memory `out`, the first at `offset`. Width 0: one column of bools, as bits.
struct BlockStore: BitwiseCopyable {
  var out: Int32, columns: Int32, count: Int32
  var width: Int, offset: Int, pitch: Int
  /// The register in which whole rows of a block gather on their way past the caches, 0 for none; whether this store is their last.
  var buffer: Int32 = 0
  var completes = false
}

/// A cluster of elementwise nodes over arrays of `count` elements, run block by block: all instructions on one block, then the
/// next. Values used only inside live in registers that hold one block. Registers of 16-bit formats hold f32, rounded.
struct BlockCode {
  let count: Int
  var block = 0
  var registers = 0
  var registerBytes = 0
  /// Number 0 stands for no operand.
  var entries = [BlockEntry(size: 0)]
  var instructions: [BlockInstruction] = []
  var fills: [BlockFill] = []
  private(set) var maps: [Int] = []
  var stores: [BlockStore] = [], columns: [Int32] = []
  /// Blocks are multiples of it where fills repeat rows.
  private(set) var hoisted = 1
  /// Register through which stretched 16-bit memory is widened.
  private(set) var temporary: Int32 = 0
  var inputs: [BlockUse] = [], outputs: [BlockUse] = []
  let operations: Int
  /// Nanoseconds an element, roughly.
  var work = 0.0
  // Of machine code: its parts, the numbers that they read where they lie, by entry, and the entry of their spills.
  var parts: [BlockPart] = []
  var spreads: [Int32: Int32] = [:]
  /// Of these what lies near a pointer for many: its entry, and bytes from there.
  var near: [Int32: (entry: Int32, bytes: Int32)] = [:]
  var spills: Int32 = 0

  private var free: [Int32] = []
  /// By value: its place in `inputs`.
  private var known: [Int32: Int] = [:]
  private(set) var widest = 1

  var scratch: Int { registers &* registerBytes }
  /// Of one thread where several share the blocks: registers, and a table of entries.
  var laneBytes: Int { up(scratch, 64) &+ up(entries.count &* 2 &* MemoryLayout<UInt>.stride, 64) }
  func lanes(_ threads: Int) -> Int { Threads.lanes(work * Double(count), pieces: count / max(block, 1), threads: threads) }

  /// Scratch by position, -1 between steps.
  final class Local {
    let entry: Memory<Int32>, last: Memory<Int32>, member: Memory<Int32>
    init(_ n: Int) throws(Failure) {
      entry = try Memory(n, filling: -1)
      last = try Memory(n, filling: -1)
      member = try Memory(n, filling: -1)
    }
  }

  /// Columns of a concat that are stored together, after the member that computes the last of them.
  private struct Weave {
    var member: Int32
    var position: Int, first: Int, count: Int
  }
  /// Columns a store takes: what two lines of memory hold.
  private static let together = 16

  init(_ g: Graph, _ c: borrowing Clusters, _ values: borrowing Values, step s: Int, _ local: Local) throws(Failure) {
    let info = c.steps[s], members = c.members.p + Int(info.start), items = g.items
    let entry = local.entry.p, last = local.last.p
    count = g.span(Int(members[0]))
    operations = Int(info.count)
    var small: [Int] = []
    // Times: 2 m while member m runs, 2 m + 1 after it.
    let weaves = weaves(g, members, s, local)
    for m in 0 ..< operations {
      let p = Int(members[m]), r = g.record(p)
      for k in 0 ..< Int(r.arity) {
        let o = g.operand(r, k), q = key(g, o, s)
        if !items[p].weaves { last[q] = max(last[q], Int32(2 * m)) }
        let period = g.elements(Int(items[o].root))
        if items[o].rep == 1, !g.isFull(o), period > 1, period <= 512, !small.contains(period) { small.append(period) }
      }
    }
    for p in small {
      let l = hoisted / gcd(hoisted, p) * p
      if l <= 1024 { hoisted = l }
    }
    // Blocks begin at whole bytes of bits.
    if values.hasBits, hoisted % 8 != 0 { hoisted = hoisted / gcd(hoisted, 8) * 8 }
    var next = 0
    for m in 0 ..< operations {
      if !items[Int(members[m])].weaves { try emit(g, values, Int(members[m]), Int32(2 * m), s, info.stage, entry, last) }
      let stored = next
      while next < weaves.count, weaves[next].member == Int32(m) {
        try store(g, values, weaves[next], s, info.stage, entry)
        next += 1
      }
      // Only now: several stores may read one column, and what they load takes registers.
      for w in weaves[stored ..< next] { release(g, w, s, entry, last) }
    }
    for m in 0 ..< operations {
      let p = Int(members[m]), r = g.record(p)
      entry[p] = -1
      last[p] = -1
      local.member.p[p] = -1
      for k in 0 ..< Int(r.arity) {
        let q = key(g, g.operand(r, k), s)
        entry[q] = -1
        last[q] = -1
      }
    }
    layOut()
  }

  /// As many elements as let registers and memory stay in the first-level cache.
  mutating func layOut() {
    if registers == 0 {
      block = max(min(count, 4096), 1)   // memory to memory: pieces for threads
    } else {
      let live = registers + inputs.count + outputs.count
      block = min(max(24_576 / (live * widest), 128), 1024) & ~63
      block = max(hoisted, block / hoisted * hoisted)
      block = max(min(block, count), 1)
    }
    registerBytes = up(block &* widest, 64)
  }

  /// What an operand is remembered by: the member or value it shows in full, the single number, or the view itself.
  private func key(_ g: Graph, _ o: Int, _ s: Int) -> Int {
    let q = Int(g.items[o].root)
    return g.isFull(o) || (g.items[o].rep > 0 && g.elements(q) == 1) ? q : o
  }

  /// The stores of all concats among the members, by time; what they read lives until then.
  private func weaves(_ g: Graph, _ members: UnsafeMutablePointer<Int32>, _ s: Int, _ local: Local) -> [Weave] {
    let items = g.items, member = local.member.p, last = local.last.p
    for m in 0 ..< operations { member[Int(members[m])] = Int32(m) }
    var list: [Weave] = []
    for m in 0 ..< operations where items[Int(members[m])].weaves {
      let p = Int(members[m]), r = g.record(p)
      for first in stride(from: 0, to: Int(r.arity), by: BlockCode.together) {
        var w = Weave(member: -1, position: p, first: first, count: min(Int(r.arity) - first, BlockCode.together))
        for k in first ..< first + w.count { w.member = max(w.member, member[key(g, g.operand(r, k), s)]) }
        if w.member < 0 { w.member = Int32(m) }
        for k in first ..< first + w.count {
          let q = key(g, g.operand(r, k), s)
          last[q] = max(last[q], 2 * w.member + 1)
        }
        list.append(w)
      }
    }
    list.sort { ($0.member, $0.position, $0.first) < ($1.member, $1.position, $1.first) }
    return list
  }

  private mutating func store(_ g: Graph, _ values: borrowing Values, _ w: Weave, _ s: Int, _ stage: UInt8,
                              _ entry: UnsafeMutablePointer<Int32>) throws(Failure) {
    let r = g.record(w.position), node = NodeID(g.items[w.position].node), shape = g.tape.shape(node)
    let (outer, n, inner) = around(shape, axis: g.tape.attrs(node)[0]), width = count / outer
    if entry[w.position] < 0 {
      entries.append(BlockEntry(value: g.items[w.position].value, size: size(g.dtype(w.position))))
      entry[w.position] = Int32(entries.count - 1)
      outputs.append(BlockUse(value: g.items[w.position].value, instruction: -1))
    }
    let start = columns.count
    for k in w.first ..< w.first + w.count { columns.append(try load(g, values, g.operand(r, k), s, stage, entry)) }
    for k in w.first ..< w.first + w.count {
      let e = columns[start + k - w.first]
      if entries[Int(e)].advances { reads(e, Int32(instructions.count)) }
    }
    work += 0.06 * Double(w.count) * Double(size(g.dtype(w.position)))
    instructions.append(BlockInstruction(x: Int32(stores.count), out: 0))
    stores.append(BlockStore(out: entry[w.position], columns: Int32(start), count: Int32(w.count), width: width, offset: w.first * width, pitch: n * inner))
  }

  private mutating func release(_ g: Graph, _ w: Weave, _ s: Int, _ entry: UnsafeMutablePointer<Int32>, _ last: UnsafeMutablePointer<Int32>) {
    let r = g.record(w.position)
    for k in w.first ..< w.first + w.count {
      let q = key(g, g.operand(r, k), s)
      if last[q] == 2 * w.member + 1 {
        last[q] = -2
        release(entry[q])
      }
    }
  }

  private mutating func register(_ size: Int) -> Int32 {
    widest = max(widest, size)
    let n: Int32
    if let f = free.popLast() { n = f } else {
      n = Int32(registers)
      registers += 1
    }
    entries.append(BlockEntry(register: n, size: Int32(size)))
    return Int32(entries.count - 1)
  }

  private mutating func release(_ e: Int32) {
    if e > 0, entries[Int(e)].register >= 0, e != temporary, !entries[Int(e)].filled { free.append(entries[Int(e)].register) }
  }

  private mutating func memory(_ values: borrowing Values, _ value: Int, _ dtype: UInt8) -> Int32 {
    entries.append(BlockEntry(value: Int32(value), parent: values.list[value].parent, size: size(dtype), advances: true))
    return Int32(entries.count - 1)
  }

  private mutating func add(_ code: Int32, _ x: Int32, _ y: Int32 = 0, _ z: Int32 = 0, out: Int32) throws(Failure) {
    guard code >= 0 else { throw Failure(.invalid, "program: a kernel is missing") }
    for e in [x, y, z] where e > 0 && entries[Int(e)].advances { reads(e, Int32(instructions.count)) }
    if entries[Int(out)].advances { outputs.append(BlockUse(value: entries[Int(out)].value, instruction: Int32(instructions.count))) }
    instructions.append(BlockInstruction(code: code, x: x, y: y, z: z, out: out))
  }

  private mutating func reads(_ e: Int32, _ instruction: Int32) {
    let x = entries[Int(e)], v = x.parent < 0 ? x.value : x.parent, instruction = x.parent < 0 ? instruction : Int32.max
    if let i = known[v] {
      inputs[i].instruction = max(inputs[i].instruction, instruction)
    } else {
      known[v] = inputs.count
      inputs.append(BlockUse(value: v, instruction: instruction))
    }
  }

  /// The entry that shows operand `o` block by block, loaded on first use.
  private mutating func load(_ g: Graph, _ values: borrowing Values, _ o: Int, _ s: Int, _ stage: UInt8, _ entry: UnsafeMutablePointer<Int32>) throws(Failure) -> Int32 {
    let k = key(g, o, s)
    if entry[k] >= 0 { return entry[k] }
    let q = Int(g.items[o].root), d = g.dtype(o), v = values.seen(g, q, stage: stage)
    let half = d == 2 || d == 3
    var e = memory(values, v, d)
    if values.list[v].bits {
      entries[Int(e)].advances = false
      entries[Int(e)].bits = true
      reads(e, Int32.max)
      let r = register(1)
      instructions.append(BlockInstruction(x: e, out: r))
      entry[k] = r
      return r
    }
    if g.isFull(o) {
      if half {
        let r = register(4)
        try add(Rows.cast[Int(d) * 7 + 1], e, out: r)
        e = r
      }
      entry[k] = e
      return e
    }
    if entries[Int(e)].parent >= 0 { reads(e, Int32.max) }
    entries[Int(e)].advances = false
    if half, temporary == 0 { temporary = register(2) }
    let period = g.elements(q), rep = Int(g.items[o].rep)
    if rep < 0 {
      entries[Int(e)].map = Int32(maps.count)
      for i in 0 ..< 2 + 2 * g.maps[~rep + 1] { maps.append(g.maps[~rep + i]) }
      reads(e, Int32.max)
      work += 0.06 * Double(size(d))
      let r = register(half ? 4 : Int(size(d)))
      instructions.append(BlockInstruction(x: e, out: half ? temporary : r))
      if half { try add(Rows.cast[Int(d) * 7 + 1], temporary, out: r) }
      entry[k] = r
      return r
    }
    entries[Int(e)].rep = rep
    entries[Int(e)].period = period
    if period == 1 || (rep == 1 && hoisted % max(period, 1) == 0) {
      // A register of its own, never written again: taken fresh, since fills run before the blocks.
      let kept = free
      free = []
      let r = register(half ? 4 : Int(size(d)))
      free = kept
      fills.append(BlockFill(source: e, target: r, dtype: d))
      entries[Int(r)].filled = true
      entry[k] = r
      return r
    }
    let r = register(half ? 4 : Int(size(d)))
    instructions.append(BlockInstruction(x: e, out: half ? temporary : r))
    if half { try add(Rows.cast[Int(d) * 7 + 1], temporary, out: r) }
    entry[k] = r
    return r
  }

  private mutating func emit(_ g: Graph, _ values: borrowing Values, _ p: Int, _ m: Int32, _ s: Int, _ stage: UInt8,
                             _ entry: UnsafeMutablePointer<Int32>, _ last: UnsafeMutablePointer<Int32>) throws(Failure) {
    let r = g.record(p), d = g.dtype(p), half = d == 2 || d == 3, width = half ? 4 : Int(size(d))
    let escapes = g.items[p].value >= 0, used = last[p] >= 0
    let isCast = r.op == Structural.cast.rawValue
    var x: (Int32, Int32, Int32) = (0, 0, 0)
    var direct = false   // a cast reads its operand as it lies in memory
    if isCast, !half {
      let o = g.operand(r, 0), k = key(g, o, s)
      if entry[k] < 0, g.isFull(o), !values.list[values.seen(g, Int(g.items[o].root), stage: stage)].bits {
        x.0 = memory(values, values.seen(g, Int(g.items[o].root), stage: stage), g.dtype(o))
        direct = true
      }
    }
    if !direct {
      for k in 0 ..< min(Int(r.arity), 3) {
        let e = try load(g, values, g.operand(r, k), s, stage, entry)
        if k == 0 { x.0 = e } else if k == 1 { x.1 = e } else { x.2 = e }
      }
    }
    // Registers that die here may take the result if their elements are as wide.
    var later: [Int32] = []
    if !direct {
      for k in 0 ..< min(Int(r.arity), 3) {
        let q = key(g, g.operand(r, k), s)
        guard last[q] == m else { continue }
        last[q] = -2
        if Int(entries[Int(entry[q])].size) == width { release(entry[q]) } else { later.append(entry[q]) }
      }
    }
    let bits = escapes && values.list[Int(g.items[p].value)].bits, inMemory = escapes && !half && !bits
    let out = inMemory ? memory(values, Int(g.items[p].value), d) : register(width)
    entry[p] = out
    var stored = false
    work += (isCast ? 0.03 : Rows.cost[Int(r.op)]) * Double(width) + (escapes ? 0.04 * Double(width) : 0)
    if isCast {
      stored = try cast(values, from: g.dtype(g.operand(r, 0)), to: d, x.0, out, direct: direct, value: escapes ? Int(g.items[p].value) : -1, used: used)
    } else {
      let rd = Rows.classes.withUnsafeBufferPointer { b in b.baseAddress.map { g.rowDType(r, p, $0) } ?? 0 }
      try add(Rows.codes[Int(r.op) * 7 + (rd == 2 || rd == 3 ? 1 : Int(rd))], x.0, x.1, x.2, out: out)
      // The store rounds by itself.
      if half, used, !Rows.exact[Int(r.op)] { try add(Rows.round[Int(d)], out, out: out) }
    }
    for e in later { release(e) }
    if half, escapes, !stored { try add(Rows.cast[7 + Int(d)], out, out: memory(values, Int(g.items[p].value), d)) }
    if bits {
      entries.append(BlockEntry(value: g.items[p].value, size: 1, bits: true))
      outputs.append(BlockUse(value: g.items[p].value, instruction: -1))
      instructions.append(BlockInstruction(x: Int32(stores.count), out: 0))
      stores.append(BlockStore(out: Int32(entries.count - 1), columns: Int32(columns.count), count: 1, width: 0, offset: 0, pitch: 0))
      columns.append(out)
    }
    if !used { release(out) }
  }

  /// True when the value has been stored already.
  private mutating func cast(_ values: borrowing Values, from: UInt8, to: UInt8, _ x: Int32, _ out: Int32, direct: Bool, value: Int, used: Bool) throws(Failure) -> Bool {
    if direct {
      try add(Rows.cast[Int(from) * 7 + Int(to)], x, out: out)
      return false
    }
    let compute: UInt8 = from == 2 || from == 3 ? 1 : from
    if to == 2 || to == 3 {
      if compute == 1 {
        try add(Rows.round[Int(to)], x, out: out)
        return false
      }
      // Rounded once, through storage.
      let t = value >= 0 ? memory(values, value, to) : register(2)
      try add(Rows.cast[Int(compute) * 7 + Int(to)], x, out: t)
      if used { try add(Rows.cast[Int(to) * 7 + 1], t, out: out) }
      if value < 0 { release(t) }
      return value >= 0
    }
    if compute == to {
      try add(Rows.codes[Int(Rows.stopGradient) * 7 + Int(to)], x, out: out)
    } else {
      try add(Rows.cast[Int(compute) * 7 + Int(to)], x, out: out)
    }
    return false
  }
}

func size(_ dtype: UInt8) -> Int32 {
  switch dtype {
  case 0, 4: 8
  case 1, 5: 4
  case 2, 3: 2
  default: 1
  }
}

