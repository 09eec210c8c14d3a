import CKernels
import Glibc
import Machine

/// Memory of a part whose last elements are computed beside it, where the machine has no masks for them.
struct BlockRest: BitwiseCopyable {
  var entry: Int32, size: Int32
  var reads: Bool, writes: Bool
}

/// A run of instructions that is one loop over vectors.
struct BlockPart {
  var code: [ck_instr]
  /// Entries that are stored to their memory.
  var kept: [Int32]
  var rests: [BlockRest]
  /// An entry that is written past the caches, 0 for none.
  var stream: Int32 = 0
  /// Among all parts of the structure; elements that it works on at a time; whether it may end anywhere; where its rests lie behind the spills.
  var number = 0, lanes = 0, anyEnd = false, restOffset = 0
}

/// A structure's clusters as they run: the block programs, with their simple instructions gathered into parts of machine code.
final class VectorBlocks {
  let blocks: [BlockCode]
  let code: VectorCode?
  /// Why there is no machine code.
  let why: String

  init(_ blocks: [BlockCode], why: String) {
    self.blocks = blocks
    code = nil
    self.why = why
  }

  /// Bytes of the last cache, tests make it small. Some machines tell what all their caches hold together.
  nonisolated(unsafe) static var cache = { let n = sysconf(Int32(_SC_LEVEL3_CACHE_SIZE)); return n > 0 ? min(n, 32 << 20) : 32 << 20 }()

  /// `least`: instructions of a part.
  init(_ plain: [BlockCode], _ s: Structure, least: Int) {
    var made = plain, owners: [(block: Int, part: Int)] = []
    for i in plain.indices where plain[i].count > 0 {
      guard var b = plain[i].inParts(least: plain[i].isLong ? 1 : least) else { continue }
      b.findNumbers(s)
      made[i] = b
      for p in b.parts.indices { owners.append((i, p)) }
    }
    let values = made.map { $0.parts.isEmpty ? [] : $0.vectorValues($0.isLong) }
    code = owners.isEmpty ? nil : VectorCode(parts: owners.count, values: made.map(\.entries.count).max() ?? 0) { n in
      let o = owners[n], b = made[o.block]
      return b.parts[o.part].code.withUnsafeBufferPointer { code in
        b.parts[o.part].kept.withUnsafeBufferPointer { kept in
          // The arrays live in `made` and `values`, which nobody changes before the code is there.
          values[o.block].withUnsafeBufferPointer { v in
            VectorCode.Part(code.baseAddress, count: code.count, kept: kept, values: v.baseAddress.unsafelyUnwrapped, spills: b.spills,
                            elements: min(b.block, b.count), multiple: b.count % b.block == 0 ? b.block : gcd(b.block, b.count % b.block))
          }
        }
      }
    }
    why = code == nil && !owners.isEmpty ? "executable memory was refused" : "too little to gather"
    guard let code else {
      blocks = plain
      return
    }
    for (n, o) in owners.enumerated() {
      made[o.block].finish(o.part, number: n, code.entries[n], anyEnd: code.anyEnd)
    }
    for i in made.indices where !made[i].parts.isEmpty { made[i].finishRows() }
    blocks = made
  }
}

extension Structure {
  /// The clusters for a back end. Made once for each.
  func vectors(_ backend: Backend) -> VectorBlocks {
    if blocks.isEmpty { return VectorBlocks([], why: "") }
    if backend == .kernels { return VectorBlocks(blocks, why: "by option") }
    guard VectorCode.available else { return VectorBlocks(blocks, why: "no AVX2") }
    return vectorized.withLock { known in
      let n = backend == .auto ? 0 : 1
      if let v = known[n] { return v }
      let v = VectorBlocks(blocks, self, least: backend == .auto ? Backend.fewInParts : 1)
      known[n] = v
      return v
    }
  }
}

extension BlockCode {
  /// The same with parts, or nil where there is none. Instructions run as early as their operands allow, but for parts, which wait for
  /// each other: level by level one part, then what machine code does not do. `number`, `lanes` and the spills are set by `finish`.
  fileprivate func inParts(least: Int) -> BlockCode? {
    let n = instructions.count
    let simple = instructions.map { $0.kernel != nil && VectorCode.takes($0.code) }
    if !simple.contains(true) { return nil }
    // By entry: the first level at which a part, or another instruction, may read it; the same for writing it anew.
    var ready = [SIMD2<Int32>](repeating: .zero, count: entries.count), idle = ready, level = [Int32](repeating: 0, count: n), top: Int32 = 0
    for i in 0 ..< n {
      let p = instructions[i], k = simple[i] ? 0 : 1
      var l: Int32 = p.out > 0 ? max(ready[Int(p.out)][k], idle[Int(p.out)][k]) : 0
      operands(p) { l = max(l, ready[Int($0)][k]) }
      let after = simple[i] ? SIMD2(l, l) : SIMD2(l + 1, l)
      operands(p) { idle[Int($0)] = pointwiseMax(idle[Int($0)], after) }
      if p.out > 0 {
        ready[Int(p.out)] = after
        idle[Int(p.out)] = SIMD2(0, 0)
      }
      level[i] = l
      top = max(top, l)
    }
    sink(simple, &level)
    // Stable: by level, parts first.
    var start = [Int](repeating: 0, count: 2 * Int(top) + 3)
    for i in 0 ..< n { start[2 * Int(level[i]) + (simple[i] ? 0 : 1) + 1] += 1 }
    for l in 1 ..< start.count { start[l] += start[l - 1] }
    var order = [Int](repeating: 0, count: n), at = start
    for i in 0 ..< n {
      let l = 2 * Int(level[i]) + (simple[i] ? 0 : 1)
      order[at[l]] = i
      at[l] += 1
    }
    var b = self
    b.parts = []
    b.instructions = []
    // By new instruction, what it is made of.
    var steps: [Range<Int>] = []
    for l in 0 ... Int(top) {
      let mine = start[2 * l] ..< start[2 * l + 1]
      if mine.count >= least {
        b.instructions.append(BlockInstruction(part: Int32(b.parts.count)))
        b.parts.append(BlockPart(code: order[mine].map { instructions[$0].asScalar }, kept: [], rests: []))
        steps.append(mine)
      } else {
        for k in mine { steps.append(k ..< k + 1) }
        b.instructions += order[mine].map { instructions[$0] }
      }
      let others = start[2 * l + 1] ..< start[2 * l + 2]
      b.join(instructions, others, &order, &steps)
    }
    if b.parts.isEmpty { return nil }
    b.place(self, order, steps)
    b.gatherRows()
    b.gatherColumns()
    return b
  }

  /// What machine code does not do, in order; but columns that stand side by side in one array are stored at once, so that whole rows are written.
  private mutating func join(_ old: [BlockInstruction], _ others: Range<Int>, _ order: inout [Int], _ steps: inout [Range<Int>]) {
    func column(_ k: Int) -> Int {
      let p = old[order[k]]
      return p.kernel == nil && p.out == 0 && stores[Int(p.x)].width == 1 ? Int(p.x) : -1
    }
    var k = others.lowerBound
    while k < others.upperBound {
      var end = k
      while end < others.upperBound, column(end) >= 0 { end += 1 }
      if end == k {
        instructions.append(old[order[k]])
        steps.append(k ..< k + 1)
        k += 1
        continue
      }
      order[k ..< end].sort { a, b in
        let x = stores[Int(old[a].x)], y = stores[Int(old[b].x)]
        return (x.out, x.offset) < (y.out, y.offset)
      }
      while k < end {
        let first = k
        var s = stores[column(k)], all = Array(columns[Int(s.columns) ..< Int(s.columns + s.count)])
        k += 1
        while k < end, stores[column(k)].out == s.out, stores[column(k)].offset == s.offset + all.count {
          let n = stores[column(k)]
          all += columns[Int(n.columns) ..< Int(n.columns + n.count)]
          k += 1
        }
        for j in first ..< k { stores[column(j)].count = 0 }   // they are counted where they went
        (s.columns, s.count) = (Int32(columns.count), Int32(all.count))
        columns += all
        instructions.append(BlockInstruction(x: Int32(stores.count), out: 0))
        stores.append(s)
        steps.append(first ..< k)
      }
    }
  }

  /// Simple instructions wait for those that read them, where that keeps no more registers alive.
  private func sink(_ simple: [Bool], _ level: inout [Int32]) {
    var writes = [UInt8](repeating: 0, count: entries.count), reader = [Int32](repeating: Int32.max, count: entries.count), last = [Int32](repeating: -1, count: entries.count)
    for p in instructions where p.out > 0 { writes[Int(p.out)] = min(writes[Int(p.out)] + 1, 2) }
    for i in instructions.indices.reversed() {
      let p = instructions[i], out = Int(p.out)
      if simple[i], writes[out] == 1, reader[out] < Int32.max, reader[out] > level[i] {
        let to = reader[out]
        var kept = 0, once = true
        operands(p) { e in
          if writes[Int(e)] > 1 { once = false }
          if entries[Int(e)].register >= 0, !entries[Int(e)].filled, last[Int(e)] < to { kept += 1 }
        }
        if once, kept <= 1 || kept == 2 && p.x == p.y { level[i] = to }
      }
      operands(p) { e in
        reader[Int(e)] = min(reader[Int(e)], level[i])
        last[Int(e)] = max(last[Int(e)], level[i])
      }
    }
  }

  /// The entries that an instruction reads.
  private func operands(_ p: BlockInstruction, _ f: (Int32) -> Void) {
    if p.kernel == nil, p.out == 0 {
      let s = stores[Int(p.x)]
      for c in 0 ..< Int(s.count) { f(columns[Int(s.columns) + c]) }
      return
    }
    if p.x > 0 { f(p.x) }
    if p.y > 0 { f(p.y) }
    if p.z > 0 { f(p.z) }
  }

  /// Registers for what lives from one step to another, and when values are read and written.
  private mutating func place(_ old: BlockCode, _ order: [Int], _ steps: [Range<Int>]) {
    let none = Int32.max
    var first = [Int32](repeating: none, count: entries.count), last = [Int32](repeating: -1, count: entries.count)
    var position = [Int32](repeating: 0, count: order.count), reads: [Int32: Int32] = [:], byOthers = [Bool](repeating: false, count: entries.count)
    /// Entries that may point into memory of other lengths than the block's.
    var shown = byOthers
    for (s, members) in steps.enumerated() {
      let part = instructions[s].part
      for k in members {
        let p = old.instructions[order[k]]
        position[order[k]] = Int32(k)
        func touch(_ e: Int32) {
          first[Int(e)] = min(first[Int(e)], Int32(s))
          last[Int(e)] = Int32(s)
          if part < 0 { byOthers[Int(e)] = true }
        }
        old.operands(p) {
          touch($0)
          if old.entries[Int($0)].value >= 0 { reads[old.entries[Int($0)].value] = Int32(k) }
        }
        if p.out > 0 { touch(p.out) }
        if part < 0, p.kernel == nil, p.out > 0 { shown[Int(p.out)] = true }
      }
    }
    for i in inputs.indices where inputs[i].instruction < Int32.max { inputs[i].instruction = max(position[Int(inputs[i].instruction)], reads[inputs[i].value] ?? 0) }
    for i in outputs.indices where outputs[i].instruction >= 0 { outputs[i].instruction = position[Int(outputs[i].instruction)] }
    // What is filled once, and the 16-bit register, keep theirs.
    var whole = [Bool](repeating: false, count: entries.count)
    fills.removeAll { f in
      let s = entries[Int(f.source)], direct = s.period == 1 && (f.dtype <= 1 || f.dtype == 4 || f.dtype == 5) && !byOthers[Int(f.target)]
      if direct {
        spreads[f.target] = f.source
        last[Int(f.target)] = -1
      } else { whole[Int(f.target)] = true }
      return direct
    }
    if temporary > 0 { whole[Int(temporary)] = true }
    var free: [Int32] = [], count: Int32 = 0
    func take() -> Int32 {
      if let r = free.popLast() { return r }
      count += 1
      return count - 1
    }
    for e in entries.indices where entries[e].register >= 0 { entries[e].register = whole[e] ? take() : -1 }
    // By step: who begins, who ends.
    var begins = [[Int32]](repeating: [], count: steps.count), ends = begins
    for e in entries.indices where old.entries[e].register >= 0 && !whole[e] && last[e] >= 0 {
      if first[e] == last[e], instructions[Int(first[e])].part >= 0 { continue }
      begins[Int(first[e])].append(Int32(e))
      ends[Int(last[e])].append(Int32(e))
    }
    for s in steps.indices {
      for e in begins[s] { entries[Int(e)].register = take() }
      for e in ends[s] { free.append(entries[Int(e)].register) }
    }
    registers = Int(count)
    for s in steps.indices where instructions[s].part >= 0 { keep(Int(instructions[s].part), s, last, shown) }
    layOut()
    work = 0
    for i in instructions { work += i.part >= 0 ? 0.004 * 8 * Double(parts[Int(i.part)].code.count) : Rows.cost(code: i.code) * 8 }
    work += 0.04 * 8 * Double(inputs.count + outputs.count)
    spills = Int32(entries.count)
    entries.append(BlockEntry(size: 1))
  }

  /// Numbers that lie side by side, and constants, are reached from a place in their middle: a pointer for each would be read before each use.
  fileprivate mutating func findNumbers(_ s: Structure) {
    var known: Int32 = -1, constants: Int32 = -1, first = 0
    for (target, source) in spreads.sorted(by: { $0.key < $1.key }) {
      let v = entries[Int(source)].value
      if v < 0 { continue }
      if let n = s.numbers[v] {
        if known < 0 {
          known = Int32(entries.count)
          entries.append(BlockEntry(size: 8, around: Ref(offset: s.numbersAt + BlockCode.reach, region: .arena)))
        }
        near[target] = (known, Int32(Int(n) * 8 - BlockCode.reach))
      } else if s.values.list[Int(v)].origin == .constant, s.values.list[Int(v)].parent < 0 {
        if constants < 0 {
          (constants, first) = (Int32(entries.count), s.values.list[Int(v)].place)
          entries.append(BlockEntry(size: 8, around: Ref(offset: first, region: .constants)))
        }
        let bytes = s.values.list[Int(v)].place - first
        if abs(bytes) < 1 << 20 { near[target] = (constants, Int32(bytes)) }
      }
    }
  }
  /// Bytes that a short displacement reaches.
  private static var reach: Int { 1024 }

  /// Whether what it reads and writes leaves no cache as it was, so that results had better go past them.
  fileprivate var isLong: Bool {
    count > 100_000 && Double(count) * Double(entries.reduce(0) { $0 + ($1.advances || $1.map >= 0 ? Int($1.size) : 0) } + stores.reduce(0) { $0 + rowBytes($1) }) >= Double(2 * VectorBlocks.cache)
  }
  /// What a store of single columns writes of each element.
  private func rowBytes(_ s: BlockStore) -> Int { s.width == 1 ? Int(s.count) * Int(entries[Int(s.out)].size) : 0 }
  private func streams(_ e: Int32) -> Bool { entries[Int(e)].advances && entries[Int(e)].size >= 4 && count * Int(entries[Int(e)].size) >= VectorBlocks.cache / 2 }
  /// What a part stores, and its memory.
  private mutating func keep(_ n: Int, _ s: Int, _ last: [Int32], _ shown: [Bool]) {
    var seen: [Int32: Int] = [:]
    func rest(_ e: Int32, reads: Bool, writes: Bool) {
      if !entries[Int(e)].advances, !shown[Int(e)] { return }
      if let k = seen[e] {
        parts[n].rests[k].writes = parts[n].rests[k].writes || writes
      } else {
        seen[e] = parts[n].rests.count
        parts[n].rests.append(BlockRest(entry: e, size: entries[Int(e)].size, reads: reads, writes: writes))
      }
    }
    var written: Set<Int32> = []
    for i in parts[n].code {
      for e in [i.x, i.y, i.z] where e > 0 { rest(e, reads: true, writes: false) }
      rest(i.out, reads: false, writes: true)
      if entries[Int(i.out)].advances || last[Int(i.out)] > Int32(s) { written.insert(i.out) }
    }
    parts[n].kept = written.sorted()
    if isLong { parts[n].stream = parts[n].kept.first(where: streams) ?? 0 }
  }

  /// Where the parts find the entries: behind the beginnings stand the places in the block.
  fileprivate func vectorValues(_ long: Bool) -> [VectorValue] {
    entries.indices.map { e in
      if let n = near[Int32(e)] { return VectorValue(pointer: n.entry, one: true, displacement: n.bytes, near: true) }
      if let s = spreads[Int32(e)] { return VectorValue(pointer: s, one: true) }
      return VectorValue(pointer: entries[e].register >= 0 || entries[e].advances ? Int32(entries.count + e) : -1, streams: long && streams(Int32(e)))
    }
  }

  /// Rows that are stored column by column, to memory larger than the caches: a block of them gathers in registers, and leaves at once.
  fileprivate mutating func gatherRows() {
    if !isLong { return }
    var seen: Set<Int32> = []
    for i in instructions.reversed() where i.kernel == nil && i.part < 0 && i.out == 0 {
      let last = Int(i.x), s = stores[last]
      if s.width != 1 || !seen.insert(s.out).inserted { continue }
      let size = Int(entries[Int(s.out)].size), mine = stores.indices.filter { stores[$0].out == s.out }
      if size < 4 || s.pitch * size * count < VectorBlocks.cache / 2 || mine.reduce(0, { $0 + Int(stores[$1].count) }) != s.pitch { continue }
      for k in mine { stores[k].buffer = Int32(entries.count) }
      stores[last].completes = true
      entries.append(BlockEntry(size: Int32(size)))
    }
  }
  /// Neighbouring columns of rows in memory, read one after the other, are read together.
  fileprivate mutating func gatherColumns() {
    var made: [BlockInstruction] = [], k = 0
    while k < instructions.count {
      var run: [(instruction: Int, at: Int)] = []
      var end = k
      while end < instructions.count, let at = columnRead(instructions[end], like: instructions[k]) {
        run.append((end, at))
        end += 1
      }
      if run.isEmpty {
        made.append(instructions[k])
        k += 1
        continue
      }
      run.sort { $0.at < $1.at }
      var i = 0
      while i < run.count {
        var n = 1
        while i + n < run.count, n < 64, run[i + n].at == run[i].at + n { n += 1 }
        if n < 4 {
          for r in run[i ..< i + n] { made.append(instructions[r.instruction]) }
        } else {
          var p = instructions[run[i].instruction]
          (p.y, p.z) = (Int32(n), Int32(columns.count))
          columns += run[i ..< i + n].map { instructions[$0.instruction].out }
          made.append(p)
        }
        i += n
      }
      k = end
    }
    instructions = made
  }
  /// Where the column begins that p reads of the memory that q reads a column of.
  private func columnRead(_ p: BlockInstruction, like q: BlockInstruction) -> Int? {
    func map(_ p: BlockInstruction) -> Int? {
      guard p.kernel == nil, p.part < 0, p.out > 0, entries[Int(p.x)].map >= 0, entries[Int(p.x)].size >= 4, !entries[Int(p.x)].bits else { return nil }
      let m = Int(entries[Int(p.x)].map)
      return maps[m + 1] == 1 && maps[m + 3] > 1 && entries[Int(p.out)].size == entries[Int(p.x)].size ? m : nil
    }
    guard let a = map(p), let b = map(q), entries[Int(p.x)].value == entries[Int(q.x)].value, entries[Int(p.x)].parent == entries[Int(q.x)].parent, maps[a + 3] == maps[b + 3] else { return nil }
    return maps[a]
  }
  fileprivate mutating func finishRows() {
    for s in stores where s.completes {
      entries[Int(s.buffer)].register = Int32(registers)
      registers += (block * s.pitch * Int(entries[Int(s.out)].size) + registerBytes - 1) / registerBytes
    }
  }

  /// After translation: the spills of all parts and the rests share registers of their own.
  fileprivate mutating func finish(_ part: Int, number: Int, _ e: VectorCode.Entry, anyEnd: Bool) {
    parts[part].number = number
    parts[part].lanes = Int(e.lanes)
    parts[part].anyEnd = anyEnd
    parts[part].restOffset = up(Int(e.spills), 64)
    let bytes = up(Int(e.spills), 64) + (anyEnd ? 0 : parts[part].rests.count * 64)
    if bytes == 0 { return }
    if registers == 0 || entries[Int(spills)].register < 0 {
      entries[Int(spills)].register = Int32(registers)
      if registers == 0 { registerBytes = 64 }
      registers += 1
    }
    let room = (registers - Int(entries[Int(spills)].register)) * registerBytes
    if bytes > room { registers += (bytes - room + registerBytes - 1) / registerBytes }
  }
}

extension BlockInstruction {
  var asScalar: ck_instr { ck_instr(code: UInt16(truncatingIfNeeded: code), pad: 0, x: x, y: y, z: z, out: out) }
}
