import CKernels
import Glibc
import Machine
import Synchronization
import Tape

typealias HostInputs = UnsafePointer<UnsafeRawPointer?>
typealias HostOutputs = UnsafePointer<UnsafeMutableRawPointer?>
typealias Table = UnsafeMutablePointer<UnsafeMutableRawPointer?>

/// A block program with raw pointers to its parts, which the structure owns.
struct RunBlock {
  /// All of it, where that is one function on one block.
  var direct: VectorCode.Function?
  var count: Int, block: Int
  var entries: Int
  var instructions: UnsafeMutablePointer<BlockInstruction>
  var instructionCount: Int
  /// The memory that moves with the blocks: entry and bytes an element.
  var moving: UnsafeMutablePointer<(Int32, Int32)>
  var movingCount: Int
  var shapes: UnsafeMutablePointer<BlockEntry>
  var fills: UnsafeMutablePointer<BlockFill>
  var fillCount: Int
  var maps: UnsafeMutablePointer<Int64>
  var stores: UnsafeMutablePointer<BlockStore>
  var columns: UnsafeMutablePointer<Int32>
  var temporary: Int
  var parts: UnsafeMutablePointer<RunPart>
  var rests: UnsafeMutablePointer<BlockRest>
  var spills: Int
  /// Bytes of one lane's scratch, and where its table stands in it.
  var laneBytes: Int, laneTable: Int
}

/// A part as it runs; `lanes` is 0 where it may end anywhere.
struct RunPart {
  var function: VectorCode.Function
  var lanes: Int, restOffset: Int
  var rests: Int, restCount: Int
  /// An entry that is written past the caches, 0 for none; its bytes an element.
  var stream: Int32, streamSize: Int
}

/// In a struct: a bare function would be wrapped, and its argument copied, at each call.
private struct Kernel { let run: (borrowing Call) -> String? }

/// A plan bound to an arena: all that one running thread needs. A run allocates nothing.
final class Instance {
  let plan: Plan
  private let arena: UnsafeMutableRawPointer
  private let constants: UnsafeMutableRawPointer
  private let table: Table
  private let tableMemory: Memory<UInt>
  // The plan's lists, which it keeps alive; nil where empty.
  private let steps: UnsafeMutablePointer<RunStep>?
  private let stages: UnsafeMutablePointer<RunStage>
  private let patches: UnsafeMutablePointer<Patch>?
  private let moves: UnsafeMutablePointer<RunMove>?
  private let copies: UnsafeMutablePointer<RunCopy>?
  private let transfers: UnsafePointer<ck_transfer>
  private let scalars: UnsafeMutablePointer<ScalarRange>?
  private let code: UnsafeMutablePointer<ck_instr>?
  /// The scalar steps as machine code, which wins over `code`.
  private let machine: MachineCode?
  private let entries: UnsafePointer<MachineCode.Function>?
  private let calls: UnsafeMutablePointer<Call>
  private let kernels: UnsafeMutablePointer<Kernel>
  private let blocks: UnsafeMutablePointer<RunBlock>
  private let rowBlocks: UnsafeMutablePointer<RunRows>
  private let rowCount: Int
  private let blockMemory: [Memory<UInt64>]
  let scans: [[Instance]]
  /// By loop, by refill.
  let refills: [[StackRun]]
  private let hosts: [HostStep]
  private let callCount: Int, blockCount: Int
  private let splits: UnsafeMutablePointer<Split>
  /// The next piece of the step that threads share.
  private let next = Atomic<Int>(0)
  private let failed = Atomic<Bool>(false)
  private var job: Job?
  /// What a kernel said when a run failed; of the host's own functions also the status, and the error that one threw.
  private(set) var message = ""
  private(set) var problem: HostFailure?

  init(_ plan: Plan, arena: UnsafeMutableRawPointer, _ backend: Backend) throws(Failure) {
    self.plan = plan
    self.arena = arena
    let s = plan.structure
    constants = UnsafeMutableRawPointer(s.constants.p)
    steps = plan.steps.p
    stages = plan.stages.p
    patches = plan.patches.p
    moves = plan.moves.p
    copies = plan.copies.p
    transfers = UnsafePointer(plan.transfers.p)
    scalars = s.scalars.ranges.p
    splits = plan.splits.p
    code = s.scalars.code.p
    if case .done(let m) = plan.machine(backend) { machine = m } else { machine = nil }
    entries = machine?.entries
    tableMemory = try Memory<UInt>(plan.table.count, filling: 0)
    table = UnsafeMutableRawPointer(tableMemory.p).bindMemory(to: UnsafeMutableRawPointer?.self, capacity: plan.table.count)
    for i in 0 ..< plan.table.count {
      switch plan.table[i].region {
      case .arena: table[i] = arena + plan.table[i].offset
      case .constants: table[i] = constants + plan.table[i].offset
      default: table[i] = nil
      }
    }
    var children: [[Instance]] = [], memory: [Memory<UInt64>] = [], runs: [RunBlock] = [], rows: [RunRows] = [], again: [[StackRun]] = []
    for t in 0 ..< plan.steps.count {
      let r = plan.steps[t]
      if r.kind == .scan {
        let x = s.scans[Int(r.code)], at = r.table + x.operands.count + x.members.count + x.more.halves + x.more.own
        var list: [Instance] = []
        for b in plan.bodies[Int(r.code)] { list.append(try Instance(b, arena: table[at] ?? arena, backend)) }
        children.append(list)
        var next = at + 1 + (x.kept == nil ? 0 : 1), made: [StackRun] = []
        for (f, p) in zip(x.refills, plan.refills[Int(r.code)]) {
          made.append(try StackRun(f, p, table + next, backend))
          next += 2 * f.operands.count + 3 + f.carries
        }
        again.append(made)
      }
      if r.kind == .rows { rows.append(try RunRows(s.rowBlocks[Int(r.code)], &memory)) }
      if r.kind == .block { runs.append(try Instance.block(plan.vectors.blocks[Int(r.code)], plan.vectors.code, &memory)) }
    }
    scans = children
    refills = again
    hosts = s.calls.map { HostStep($0.host.function, $0.types, $0.results, batch: $0.host.batch, $0.host.flags) }
    blockMemory = memory
    rowCount = rows.count
    rowBlocks = UnsafeMutablePointer<RunRows>.allocate(capacity: max(rows.count, 1))
    for (i, b) in rows.enumerated() { (rowBlocks + i).initialize(to: b) }
    blockCount = runs.count
    blocks = UnsafeMutablePointer<RunBlock>.allocate(capacity: max(runs.count, 1))
    for (i, b) in runs.enumerated() { (blocks + i).initialize(to: b) }
    callCount = s.kernels.count
    calls = UnsafeMutablePointer<Call>.allocate(capacity: max(callCount, 1))
    kernels = UnsafeMutablePointer<Kernel>.allocate(capacity: max(callCount, 1))
    for t in 0 ..< plan.steps.count where plan.steps[t].kind == .kernel || plan.steps[t].kind == .move {
      let r = plan.steps[t], k = s.kernels[Int(r.code)]
      let x = UnsafeRawPointer(table + r.table).assumingMemoryBound(to: UnsafeRawPointer.self)
      (calls + Int(r.code)).initialize(to: Call(x: x, types: k.types, type: k.type, attrs: k.attrs, geometry: k.geometry))
      (kernels + Int(r.code)).initialize(to: Kernel(run: k.kernel))
    }
    prepare()
  }

  deinit {
    calls.deinitialize(count: callCount)
    kernels.deinitialize(count: callCount)
    calls.deallocate()
    kernels.deallocate()
    blocks.deallocate()
    rowBlocks.deallocate()
  }

  /// A block program's lists, packed.
  private static func block(_ b: BlockCode, _ code: VectorCode?, _ memory: inout [Memory<UInt64>]) throws(Failure) -> RunBlock {
    func pack<T>(_ list: [T]) throws(Failure) -> UnsafeMutablePointer<T> { try packed(list, &memory) }
    let moving = b.count <= b.block ? [] : b.entries.indices.filter { b.entries[$0].advances }.map { (Int32($0), b.entries[$0].size) }
    var direct: VectorCode.Function?
    if let code, b.instructions.count == 1, b.parts.count == 1, b.instructions[0].part == 0, b.fills.isEmpty, b.count <= b.block {
      let p = b.parts[0]
      if p.stream <= 0, p.anyEnd || b.count % p.lanes == 0 { direct = code.entries[p.number].function }
    }
    return RunBlock(direct: direct, count: b.count, block: b.block, entries: b.entries.count, instructions: try pack(b.instructions), instructionCount: b.instructions.count,
                    moving: try pack(moving), movingCount: moving.count, shapes: try pack(b.entries),
                    fills: try pack(b.fills), fillCount: b.fills.count, maps: try pack(b.maps.map { Int64($0) }), stores: try pack(b.stores),
                    columns: try pack(b.columns), temporary: Int(b.temporary),
                    parts: try pack(b.parts.enumerated().map { n, p in
                      RunPart(function: code.map { $0.entries[p.number].function } ?? { _, _, _ in }, lanes: p.anyEnd ? 0 : p.lanes, restOffset: p.restOffset,
                              rests: b.parts[..<n].reduce(0) { $0 + $1.rests.count }, restCount: p.rests.count,
                              stream: p.stream, streamSize: max(Int(b.entries[Int(p.stream)].size), 1))
                    }),
                    rests: try pack(b.parts.flatMap(\.rests)), spills: Int(b.spills),
                    laneBytes: b.laneBytes, laneTable: up(b.scratch, 64))
  }

  /// Puts the constants of scalar programs into their slots. A loop's body does so before each loop: other steps use its arena.
  func prepare() {
    let c = plan.structure.scalars.constants.count
    if c > 0, let p = plan.structure.scalars.constants.p { arena.copyMemory(from: p, byteCount: c * 8) }
  }

  @inline(__always) private func resolve(_ r: Ref, _ inputs: HostInputs, _ outputs: HostOutputs) -> UnsafeMutableRawPointer {
    switch r.region {
    case .constants: constants + r.offset
    case .input: UnsafeMutableRawPointer(mutating: inputs[r.offset]).map { $0 + r.bytes } ?? arena
    case .output: outputs[r.offset].map { $0 + r.bytes } ?? arena
    default: arena + r.offset
    }
  }

  @inline(__always) private func copy(_ from: Int, _ to: Int, _ inputs: HostInputs, _ outputs: HostOutputs) {
    guard from < to, let copies else { return }
    for i in from ..< to {
      let c = copies[i]
      let x = resolve(c.from, inputs, outputs), y = resolve(c.to, inputs, outputs)
      if x != y { memmove(y, x, c.bytes) }
    }
  }

  /// The program's code where it is one step of single numbers and nothing beside.
  var direct: MachineCode.Function? {
    guard plan.stages.count == 1, plan.steps.count == 1, plan.patches.count == 0, plan.copies.count == 0, let entries, let s = steps, s[0].kind == .scalar else { return nil }
    return entries[Int(s[0].code)]
  }

  var silent: Bool { machine.map(\.silent) ?? false }

  /// False with a message when a kernel fails. Pointers are not null, except to arrays without elements.
  func execute(_ stage: Int, _ inputs: HostInputs, _ outputs: HostOutputs, again: Bool = false) -> Bool {
    let s = stages[stage]
    if let patches {
      for i in s.patches ..< (again ? s.moving : s.patchEnd) {
        let p = patches[i]
        table[p.table] = (p.output ? outputs[Int(p.host)] : UnsafeMutableRawPointer(mutating: inputs[Int(p.host)])).map { $0 + p.bytes } ?? arena
      }
    }
    copy(s.keeps, s.saves, inputs, outputs)
    for t in s.steps ..< s.stepEnd {
      guard let steps else { break }
      let r = steps[t]
      switch r.kind {
      case .scalar: if let scalars { scalar(scalars[Int(r.code)], Int(r.code), inputs, outputs) }
      case .rows: if r.lanes > 1 { share(r, rowBlocks[Int(r.code)]) } else { run(rowBlocks[Int(r.code)], table + r.table) }
      case .block: if r.lanes > 1 { share(r, blocks[Int(r.code)]) } else { run(blocks + Int(r.code), table + r.table) }
      case .move: move(Int(r.lanes))
      case .kernel: if !kernel(r) { return false }
      case .scan: if !scan(r) { return false }
      case .call: if !call(r) { return false }
      default: break
      }
    }
    copy(s.saves, s.finals, inputs, outputs)
    copy(s.finals, s.copyEnd, inputs, outputs)
    return true
  }

  @inline(__always) private func move(_ first: Int) {
    guard var m = moves.map({ $0 + first }) else { return }
    while true {
      if let x = table[Int(m.pointee.from)], let y = table[Int(m.pointee.to)].map({ $0 + m.pointee.offset }) {
        switch m.pointee.bytes {
        case 8: y.storeBytes(of: x.loadUnaligned(as: UInt64.self), as: UInt64.self)
        case 16: y.storeBytes(of: x.loadUnaligned(as: SIMD2<UInt64>.self), as: SIMD2<UInt64>.self)
        default: memmove(y, x, m.pointee.bytes)
        }
      }
      if !m.pointee.more { return }
      m += 1
    }
  }

  private func kernel(_ s: RunStep) -> Bool {
    let n = Int(s.code)
    if s.lanes > 1, calls[n].geometry.withUnsafeBytes({ share(splits[n], calls[n].x, calls[n].out, calls[n].scratch, $0.baseAddress?.assumingMemoryBound(to: Int64.self)) }) { return true }
    if let sentence = kernels[n].run(calls[n]) {
      message = sentence
      return false
    }
    return true
  }

  // MARK: threads

  /// What the lanes of a shared step do. It stands in the instance rather than in a closure: a closure would be allocated at each step.
  struct Job {
    enum Work { case block(RunBlock, Table, UnsafeMutableRawPointer), rows(RunRows, Table, UnsafeMutableRawPointer), split(Split) }
    var work: Work
    var units: Int, pieces: Int
    var operands: UnsafePointer<UnsafeRawPointer>?
    var out: UnsafeMutableRawPointer?, scratch: UnsafeMutableRawPointer?
    var geometry: UnsafePointer<Int64>?
  }

  private func share(_ lanes: Int, _ j: Job) {
    job = j
    next.store(0, ordering: .relaxed)
    ck_parallel(lanes, lanes, { context, lane in
      guard let context else { return }
      let saved = ck_fenv_enter()
      Unmanaged<Instance>.fromOpaque(context).takeUnretainedValue().lane(lane)
      ck_fenv_leave(saved)
    }, Unmanaged.passUnretained(self).toOpaque())
    job = nil
  }

  /// Takes pieces until there are none.
  private func lane(_ lane: Int) {
    guard let j = job else { return }
    var own: Table?
    while true {
      let p = next.wrappingAdd(1, ordering: .relaxed).oldValue
      if p >= j.pieces { return }
      let from = j.units * p / j.pieces, to = j.units * (p + 1) / j.pieces
      switch j.work {
      case .rows(let b, let base, let scratch):
        let mine = own ?? prepareLane(b, base, scratch, lane)
        own = mine
        run(b, mine, from * b.block, min(to * b.block, b.count))
      case .block(let b, let base, let scratch):
        let mine = own ?? prepareLane(b, base, scratch, lane)
        own = mine
        run(b, mine, from * b.block, min(to * b.block, b.count))
      case .split(let x):
        if let operands = j.operands, let out = j.out, !x.run(from, to, operands, out, j.scratch, j.geometry, lane: lane) { failed.store(true, ordering: .relaxed) }
      }
    }
  }

  private func share(_ s: RunStep, _ b: RunBlock) {
    let base = table + s.table
    guard let scratch = base[2 * b.entries] else { return run(b, base) }
    let blocks = (b.count + b.block - 1) / b.block, lanes = Int(s.lanes)
    share(lanes, Job(work: .block(b, base, scratch), units: blocks, pieces: min(blocks, lanes * 8)))
  }

  private func share(_ s: RunStep, _ b: RunRows) {
    let base = table + s.table
    guard let scratch = base[2 * b.entries] else { return run(b, base) }
    let blocks = (b.count + b.block - 1) / b.block, lanes = Int(s.lanes)
    share(lanes, Job(work: .rows(b, base, scratch), units: blocks, pieces: min(blocks, lanes * 8)))
  }

  /// False when an index lies outside: the row's own kernel then says which.
  private func share(_ x: Split, _ operands: UnsafePointer<UnsafeRawPointer>, _ out: UnsafeMutableRawPointer, _ scratch: UnsafeMutableRawPointer?,
                     _ geometry: UnsafePointer<Int64>?) -> Bool {
    failed.store(false, ordering: .relaxed)
    share(x.lanes, Job(work: .split(x), units: x.units, pieces: min(x.units, x.lanes * 8), operands: operands, out: out, scratch: scratch, geometry: geometry))
    x.finish(out, scratch)
    return !failed.load(ordering: .relaxed)
  }

  // MARK: single numbers

  @inline(__always) private func scalar(_ r: ScalarRange, _ n: Int, _ inputs: HostInputs, _ outputs: HostOutputs) {
    let slots = arena.assumingMemoryBound(to: UInt64.self)
    if let entries { entries[n](slots, inputs, outputs) } else { ck_scalar_run(code.map { UnsafePointer($0) + r.code }, r.codeCount, slots, transfers, inputs, outputs) }
  }

  // MARK: the host's own

  func forget() {
    problem = nil
    for s in scans.joined() { s.forget() }
    for r in refills.joined() { r.body.forget() }
  }
  /// What went wrong in an instance inside.
  private func adopt(_ inner: Instance) {
    message = inner.message
    problem = inner.problem
  }

  /// On the thread of the run, in the default floating-point environment, which holds again afterwards.
  private func call(_ s: RunStep) -> Bool {
    let x = plan.structure.calls[Int(s.code)], operands = table + s.table
    let said = hosts[Int(s.code)].run(UnsafeRawPointer(operands).assumingMemoryBound(to: UnsafeRawPointer?.self), UnsafePointer(operands + x.operands.count))
    _ = ck_fenv_enter()
    guard let said else { return true }
    message = "\(x.host.function.name): \(said.message)"
    problem = said
    return false
  }

  // MARK: loops and branches

  private func scan(_ s: RunStep) -> Bool {
    switch plan.structure.scans[Int(s.code)].form {
    case .branch: return branch(s)
    case .loop: return loop(s)
    case .scan: break
    }
    let x = plan.structure.scans[Int(s.code)], body = scans[Int(s.code)][0]
    let C = x.carries, X = x.xs, Y = x.ys, length = x.length, all = C + X + x.consts
    let operands = table + s.table, members = operands + all, other = members + C + Y
    let ins = other + C, outs = ins + all, stacks = refills[Int(s.code)]
    if x.kept?.inPassing == true { return keeping(x, body, s.table) }
    return x.bytes.withUnsafeBufferPointer { bytes in
      if length == 0 {
        for c in 0 ..< C { if let from = operands[c], let to = members[c] { memmove(to, from, bytes[c]) } }
        return true
      }
      body.prepare()
      for f in stacks { f.begin() }
      for k in 0 ..< C { ins[k] = operands[k] }
      for k in C + X ..< all { ins[k] = operands[k] }
      let i = UnsafeRawPointer(ins).assumingMemoryBound(to: UnsafeRawPointer?.self), first = x.reverse ? length - 1 : 0
      for k in C ..< C + X { ins[k] = operands[k].map { $0 + first * bytes[k] } }
      for k in C ..< C + Y { outs[k] = members[k].map { $0 + first * bytes[X + k] } }
      for step in 0 ..< length {
        // The last step writes the result itself, the one before it the other half.
        let final = (length - 1 - step) & 1 == 0
        for c in 0 ..< C { outs[c] = final ? members[c] : other[c] }
        for f in stacks where !f.state(step, ins + C) {
          adopt(f.body)
          return false
        }
        if !body.execute(0, i, UnsafePointer(outs), again: step > 0) {
          adopt(body)
          return false
        }
        for c in 0 ..< C { ins[c] = outs[c] }
        for k in C ..< C + X { ins[k] = ins[k].map { x.reverse ? $0 - bytes[k] : $0 + bytes[k] } }
        for k in C ..< C + Y { outs[k] = outs[k].map { x.reverse ? $0 - bytes[X + k] : $0 + bytes[X + k] } }
      }
      return true
    }
  }

  /// A loop that keeps states as it passes them: a step writes its carries where they are kept.
  private func keeping(_ x: ScanStep, _ body: Instance, _ at: Int) -> Bool {
    guard let kept = x.kept else { return false }
    let C = x.carries, X = x.xs, Y = x.ys, length = x.length, all = C + X + x.consts
    let operands = table + at, members = operands + all, other = members + C + Y, ins = other + C, outs = ins + all
    guard let buffer = outs[C + Y + 1] else { return false }
    body.prepare()
    for k in 0 ..< C { ins[k] = operands[k] }
    for k in C + X ..< all { ins[k] = operands[k] }
    let i = UnsafeRawPointer(ins).assumingMemoryBound(to: UnsafeRawPointer?.self), first = x.reverse ? length - 1 : 0
    for k in C ..< C + X { ins[k] = operands[k].map { $0 + first * x.bytes[k] } }
    for k in C ..< C + Y { outs[k] = members[k].map { $0 + first * x.bytes[X + k] } }
    // The next position to keep, from the slot before it; nobody else uses the schedule.
    var slot = 0, position = 0
    func further() {
      let left = kept.slots - slot, steps = length - position
      if left > 1, steps > 1 {
        position += Revolve.split(steps, slots: left)
        slot += 1
      } else {
        position = length
      }
    }
    further()
    for step in 0 ..< length {
      let final = (length - 1 - step) & 1 == 0
      for c in 0 ..< C { outs[c] = final ? members[c] : other[c] }
      let here = step + 1 == position && step + 1 < length ? slot - 1 : step + 2 == length ? kept.slots - 1 : -1
      if here >= 0 { for (k, c) in kept.carries.enumerated() { outs[c] = buffer + here * kept.size + kept.offsets[k] } }
      if step + 1 == position { further() }
      if !body.execute(0, i, UnsafePointer(outs), again: step > 0) {
        adopt(body)
        return false
      }
      for c in 0 ..< C { ins[c] = outs[c] }
      for k in C ..< C + X { ins[k] = ins[k].map { x.reverse ? $0 - x.bytes[k] : $0 + x.bytes[k] } }
      for k in C ..< C + Y { outs[k] = outs[k].map { x.reverse ? $0 - x.bytes[X + k] : $0 + x.bytes[X + k] } }
    }
    return true
  }

  /// The branch that is chosen; no other runs.
  private func branch(_ s: RunStep) -> Bool {
    let n = Int(s.code), x = plan.structure.scans[n], operands = table + s.table
    guard let choice = operands[0] else { return true }
    let k: Int = switch x.choice {
    case 1: choice.load(as: UInt8.self) != 0 ? 1 : 0
    case 4: Int(choice.load(as: Int32.self))
    default: Int(choice.load(as: Int64.self))
    }
    let b = max(0, min(k, scans[n].count - 1)), body = scans[n][b]
    body.prepare()
    let ins = UnsafeRawPointer(operands + x.starts[b]).assumingMemoryBound(to: UnsafeRawPointer?.self)
    if body.execute(0, ins, UnsafePointer(operands + x.operands.count)) { return true }
    adopt(body)
    return false
  }

  /// The body while it says so, `length` times at most where that is not negative.
  private func loop(_ s: RunStep) -> Bool {
    let x = plan.structure.scans[Int(s.code)], body = scans[Int(s.code)][0], C = x.carries, all = x.operands.count
    let operands = table + s.table, members = operands + all, other = members + C, ins = other + C + 1, outs = ins + all - 1
    return x.bytes.withUnsafeBufferPointer { bytes in
      guard let begin = operands[all - 1], let flag = other[C] else { return true }
      if begin.load(as: UInt8.self) == 0 || x.length == 0 {
        for c in 0 ..< C { if let from = operands[c], let to = members[c] { memmove(to, from, bytes[c]) } }
        return true
      }
      body.prepare()
      for k in 0 ..< all - 1 { ins[k] = operands[k] }
      outs[C] = flag
      let i = UnsafeRawPointer(ins).assumingMemoryBound(to: UnsafeRawPointer?.self)
      var step = 0
      repeat {
        for c in 0 ..< C { outs[c] = step & 1 == 0 ? members[c] : other[c] }
        if !body.execute(0, i, UnsafePointer(outs), again: step > 0) {
          adopt(body)
          return false
        }
        for c in 0 ..< C { ins[c] = outs[c] }
        step += 1
      } while step != x.length && flag.load(as: UInt8.self) != 0
      if step & 1 == 0 { for c in 0 ..< C { if let from = other[c], let to = members[c] { memmove(to, from, bytes[c]) } } }
      return true
    }
  }
}
