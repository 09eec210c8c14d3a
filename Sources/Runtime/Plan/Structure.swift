import CKernels
import Tape

/// A step that runs a row's kernel.
struct KernelStep {
  let op: Structural
  let operands: [Int32]
  let out: Int32
  let types: [TensorType]
  let type: TensorType
  let attrs: [Int], geometry: [Int]
  let scratch: Int
  /// Where it only copies: by operand, to which byte of the result how many bytes from the first on.
  var copies: [(slot: Int, offset: Int, bytes: Int)] = []
  let name: String
  let kernel: (borrowing Call) -> String?
}

/// A step that runs a body `length` times, or while it says so, or one of several.
struct ScanStep {
  enum Form { case scan, loop, branch }
  var form = Form.scan
  let operands: [Int32]
  /// The values of its carries and y's; those that nothing needs are not among them.
  let members: [Int32]
  let carries: Int, xs: Int, consts: Int, ys: Int, length: Int
  let reverse: Bool
  /// Bytes: of each carry, then of a slice of each x, then of a slice of each y.
  let bytes: [Int]
  /// One, or the branches.
  let bodies: [Structure]
  /// Of branches: by body the place of its operands among `operands`, which begin with the choice; the choice's bytes, 1 for bool.
  var starts: [Int] = [], choice = 0

  var body: Structure { bodies[0] }
  /// Where its stacked carries are virtual.
  var kept: KeptStates?
  /// The virtual stacks that it reads.
  var refills: [Refill] = []

  /// The other halves of the carries' ping-pong, then what a `while` says, stand behind the bodies' common arena of `memory` bytes.
  /// By refill: the other half of its states, then its body's arena.
  func scratch(_ memory: Int, refills memories: [Int]) -> Int {
    if form == .branch || form == .scan && carries == 0 && refills.isEmpty { return memory }
    var n = bytes[..<carries].reduce(up(memory, 64)) { $0 &+ up($1, 64) } &+ (form == .loop ? 64 : 0)
    for (r, m) in zip(refills, memories) { n = up(n, 64) &+ r.stateSize &+ (r.backwards ? 0 : r.stateSize) &+ m }
    return n
  }
  /// Entries of the table behind the operands and members: other halves, the body's inputs and outputs, the arena.
  var more: (halves: Int, own: Int) { form == .branch ? (0, 0) : (carries + (form == .loop ? 1 : 0), operands.count + carries + ys) }
}

/// The states that a loop keeps of its carries as it runs, in the value `buffer`: one in each slot but the first (the loop begins with that one), and the
/// one before the last step.
struct KeptStates {
  let buffer: Int32
  let slots: Int
  /// By carry of the state: its number among the loop's needed carries, its place in a state.
  let carries: [Int], offsets: [Int]
  let size: Int
  /// Whether the loop keeps any: the first loop that reads them backwards takes them up.
  var inPassing = false
}

/// A virtual stack as a loop reads it: states are computed again by `body`, step by step.
struct Refill {
  let buffer: Int32
  let slots: Int, length: Int
  /// Of the loop that is run again; `backwards`: this one reads its states from the last on.
  let reverse: Bool, backwards: Bool
  let operands: [Int32]
  let carries: Int, xs: Int, consts: Int
  let offsets: [Int], stateSize: Int
  /// Bytes: of each carry, then of a slice of each x.
  let bytes: [Int]
  let body: Structure
  /// Which of the reader's x's are which carries.
  let uses: [(x: Int, carry: Int)]
  /// The states were kept in passing.
  var prefilled = false
}

/// A step that calls a function of the host's.
struct CallStep {
  let host: HostShape
  let operands: [Int32], members: [Int32]
  let types: [TensorType], results: [TensorType]
}

/// What a program computes, in steps and values, before anything has a place in memory. Immutable.
final class Structure {
  let stages: Int
  let inputTypes: [[TensorType]], outputTypes: [[TensorType]]
  let inputCount: [Int], outputCount: [Int]
  let clusters: Clusters
  let values: Values
  let scalars: ScalarCode
  /// By back end: auto, machine.
  let vectorized = Guarded<[VectorBlocks?]>([nil, nil])
  private(set) var blocks: [BlockCode] = []
  private(set) var rowBlocks: [RowCode] = []
  private(set) var kernels: [KernelStep] = []
  private(set) var scans: [ScanStep] = []
  private(set) var calls: [CallStep] = []
  /// By time: the number among steps of its kind; -1 where nothing is left to do, since the parts of a joined array were made in it.
  let code: Memory<Int32>
  let constants: Memory<UInt8>
  /// Host inputs that are read: by stage, value numbers by input, -1 where unread.
  private(set) var hosts: [[Int32]] = []

  /// Single numbers that clusters read by machine code, by value: which place of 8 bytes behind the scalar programs' slots each has in every plan.
  private(set) var numbers: [Int32: Int32] = [:]
  var numbersAt: Int { up(scalars.slots &* 8, 64) }

  /// How repeated parts were re-rolled; empty where none were.
  let rerolled: String

  /// `slots`: of every loop that a derivative reads, in the place of those it was recorded with.
  init(_ recorded: Tape, _ given: [Stage], reroll: Reroll.Mode = .auto, slots: Int? = nil) throws(Failure) {
    var tape = recorded, stages = given
    if let f = tape.failure { throw f }
    guard stages.count >= 1, stages.count <= 64 else { throw Failure(.invalid, "program: \(stages.count) stages; 1 to 64 are taken") }
    for s in stages {
      for (what, list) in [("input", s.inputs), ("output", s.outputs)] {
        for (i, n) in list.enumerated() where !tape.contains(n) || tape.isTuple(n) {
          throw Failure(.node, "program: \(what) \(i) is not a node of this tape")
        }
      }
    }
    self.stages = stages.count
    inputTypes = stages.map { $0.inputs.map { tape.type($0) } }
    outputTypes = stages.map { $0.outputs.map { tape.type($0) } }
    inputCount = stages.map(\.inputs.count)
    outputCount = stages.map(\.outputs.count)
    var said = ""
    if let plain = tape.withoutRules(stages) { (tape, stages) = plain }
    if let bare = tape.unmarked(stages) { (tape, stages) = bare }
    if let r = Reroll.make(tape, stages, reroll) { (tape, stages, said) = r }
    rerolled = said
    if let turned = tape.turnedInPlace(stages) { (tape, stages) = turned }
    let g = try Graph(tape, stages, slots: slots)
    var c = try Clusters.make(g)
    let places = try Places(g, c)
    var v = try Values(g, &c, places)
    try v.packMasks(g, c)
    scalars = try ScalarCode(g, c, v)
    code = try Memory(c.schedule.count, filling: -1)
    constants = try Structure.constantBlock(g, v)
    clusters = c
    values = v
    hosts = stages.map { [Int32](repeating: -1, count: $0.inputs.count) }
    for i in 0 ..< values.list.count where values.list[i].origin == .host && values.list[i].parent < 0 { hosts[Int(values.list[i].stage)][values.list[i].place] = Int32(i) }
    try compile(g, reroll: reroll, slots)
    chooseNumbers()
  }

  /// Those that are read most come first.
  private func chooseNumbers() {
    var isOutput: Set<Int32> = []
    for b in blocks where b.fills.count >= 8 {
      if isOutput.isEmpty { for o in 0 ..< values.outputs.count { isOutput.insert(Int32(values.base(Int(values.outputs[o].value)))) } }
      var uses = [Int32](repeating: 0, count: b.entries.count)
      for i in b.instructions where i.kernel != nil { for e in [i.x, i.y, i.z] { uses[Int(e)] += 1 } }
      for f in b.fills.sorted(by: { (uses[Int($1.target)], $0.target) < (uses[Int($0.target)], $1.target) }) {
        let v = b.entries[Int(f.source)].value
        guard v >= 0, b.entries[Int(f.source)].period == 1, numbers[v] == nil, !isOutput.contains(v) else { continue }
        let x = values.list[Int(v)]
        if x.origin == .step, x.parent < 0, x.bytes > 0, x.bytes <= 8, !x.pinned { numbers[v] = Int32(numbers.count) }
      }
    }
  }

  private func compile(_ g: Graph, reroll: Reroll.Mode, _ slots: Int?) throws(Failure) {
    var local: BlockCode.Local?   // one for all clusters
    func scratch() throws(Failure) -> BlockCode.Local {
      let l: BlockCode.Local
      if let local { l = local } else { l = try BlockCode.Local(g.count) }
      local = l
      return l
    }
    var scalar: Int32 = 0
    for t in 0 ..< clusters.schedule.count {
      let s = Int(clusters.schedule[t]), info = clusters.steps[s], p = Int(clusters.members[Int(info.start)])
      switch info.kind {
      case .scalar:
        code[t] = scalar
        scalar += 1
      case .rows:
        code[t] = Int32(rowBlocks.count)
        rowBlocks.append(try RowCode(g, clusters, values, step: s, scratch()))
      case .block:
        code[t] = Int32(blocks.count)
        blocks.append(try BlockCode(g, clusters, values, step: s, scratch()))
      case .scan:
        code[t] = Int32(scans.count)
        scans.append(try scan(g, p, info, reroll: reroll, slots))
      case .call:
        code[t] = Int32(calls.count)
        calls.append(call(g, p, info))
      default:
        if let rest = values.places.rest[Int32(s)], rest.isEmpty { continue }
        code[t] = Int32(kernels.count)
        kernels.append(kernel(g, p, info))
      }
    }
  }

  private func operands(_ g: Graph, _ p: Int, _ stage: UInt8) -> [Int32] {
    (0 ..< Int(g.record(p).arity)).map { operand(g, p, $0, stage) }
  }
  private func operand(_ g: Graph, _ p: Int, _ slot: Int, _ stage: UInt8) -> Int32 {
    Int32(values.seen(g, Int(g.items[g.operand(g.record(p), slot)].root), stage: stage))
  }

  private func kernel(_ g: Graph, _ p: Int, _ info: StepInfo) -> KernelStep {
    let addition = g.additions[p]
    let t = g.tape, n = NodeID(g.items[addition?.product ?? p].node), types = t.inputs(n).map { t.type($0) } + (addition == nil ? [] : [t.type(NodeID(g.items[g.operand(g.record(p), t.arity(n))].node))])
    let op = t.op(n).structural ?? .part, r = row(op)
    var attrs = t.attrs(n)
    if op == .matmul, attrs[2] + attrs[3] > 0 {
      // A mask that lies in bits.
      let own = attrs[2] != 0 ? 3 : 2
      for (k, slot) in [(2, 2), (3, own)] where attrs[k] != 0 {
        if values.list[Int(operand(g, p, slot, info.stage))].bits { attrs[k] = 2 }
      }
    }
    if let addition { attrs.append(addition.row) }
    if let rest = values.places.rest[g.items[p].step] {
      return KernelStep(op: op, operands: rest.map { operand(g, p, $0.slot, info.stage) }, out: g.items[p].value, types: rest.map { types[$0.slot] }, type: t.type(n), attrs: attrs,
                        geometry: [], scratch: 0, copies: rest.enumerated().map { ($0, $1.offset, $1.bytes) }, name: r.name, kernel: nothing)
    }
    let geometry = r.geometry(types, t.attrs(n), t.type(n))
    var copies: [(slot: Int, offset: Int, bytes: Int)] = []
    if op == .concat, geometry[0] == 1, t.type(n).count > 0 {
      var done = 0
      for (i, bytes) in geometry[2...].enumerated() {
        if bytes > 0 { copies.append((i, done, bytes)) }
        done += bytes
      }
    }
    return KernelStep(op: op, operands: operands(g, p, info.stage), out: g.items[p].value, types: types, type: t.type(n), attrs: attrs,
                      geometry: geometry, scratch: r.scratch(types, t.attrs(n), t.type(n)), copies: copies, name: r.name,
                      kernel: t.type(n).count == 0 ? nothing : r.kernel)
  }

  private func call(_ g: Graph, _ p: Int, _ info: StepInfo) -> CallStep {
    let t = g.tape, n = NodeID(g.items[p].node), results = t.tupleMembers(n)
    return CallStep(host: t.hostShape(n), operands: operands(g, p, info.stage), members: results.indices.map { g.items[p].value + Int32($0) },
                    types: t.inputs(n).map { t.type($0) }, results: results)
  }

  private func scan(_ g: Graph, _ p: Int, _ info: StepInfo, reroll: Reroll.Mode, _ slots: Int?) throws(Failure) -> ScanStep {
    let n = NodeID(g.items[p].node), needed = g.needed[p] ?? [], all = operands(g, p, info.stage)
    let members = needed.indices.filter { needed[$0] }, values = members.map { g.items[p].value + Int32($0) }
    if g.tape.structural(n) == .cond {
      var bodies: [Structure] = [], starts: [Int] = [], list = [all[0]]
      for (body, inputs) in g.tape.bareBranches(n, needed: needed) {
        if let f = body.tape.failure { throw f }
        starts.append(list.count)
        list += inputs.map { all[$0 + 1] }
        bodies.append(try Structure(body.tape, [(body.inputs, body.outputs)], reroll: reroll, slots: slots))
      }
      return ScanStep(form: .branch, operands: list, members: values, carries: 0, xs: 0, consts: 0, ys: members.count, length: 1, reverse: false, bytes: [],
                      bodies: bodies, starts: starts, choice: g.tape.dtype(g.tape.input(n, 0)).size)
    }
    if g.tape.structural(n) == .whileLoop {
      let s = g.tape.whileShape(n), (body, inputs) = g.tape.bareWhile(n, needed: needed)
      if let f = body.tape.failure { throw f }
      let C = members.count
      // Behind what the body reads: whether to begin. Behind the carries it gives whether to go on.
      return ScanStep(form: .loop, operands: inputs.map { all[$0] } + [all[s.carries + s.consts]], members: values, carries: C, xs: 0, consts: inputs.count - C, ys: 0,
                      length: s.limit, reverse: false, bytes: body.inputs.prefix(C).map { body.tape.type($0).bytes },
                      bodies: [try Structure(body.tape, [(body.inputs, body.outputs)], reroll: reroll, slots: slots)])
    }
    let s = g.tape.scanShape(n), (body, inputs) = g.tape.bare(n, needed: needed), t = body.tape
    if let f = t.failure { throw f }
    let carries = members.filter { $0 < s.carries }.count
    let xs = inputs.filter { $0 >= s.carries && $0 < s.carries + s.xs }.count
    let bytes = body.inputs.prefix(carries + xs).map { t.type($0).bytes } + body.outputs.dropFirst(carries).map { t.type($0).bytes }
    var step = ScanStep(operands: inputs.map { all[$0] }, members: values, carries: carries, xs: xs, consts: inputs.count - carries - xs,
                    ys: members.count - carries, length: s.length, reverse: s.reverse, bytes: bytes, bodies: [try Structure(t, [(body.inputs, body.outputs)], reroll: reroll, slots: slots)])
    if let stack = g.stacks[p] {
      let (offsets, size) = stateOffsets(g.stateBytes(p))
      step.kept = KeptStates(buffer: g.items[p].value + Int32(g.tape.memberCount(n)), slots: stack.slots, carries: stack.state.compactMap { members.firstIndex(of: $0) }, offsets: offsets, size: size)
    }
    let r = g.record(p), taken = Array(inputs.filter { $0 >= s.carries && $0 < s.carries + s.xs })
    for e in g.sources[p] ?? [] {
      guard let stack = g.stacks[e] else { continue }
      let uses = taken.enumerated().compactMap { x, k -> (x: Int, carry: Int)? in
        guard let (from, m) = g.shown(g.operand(r, k)), from == e, let c = stack.carries[m], let i = stack.state.firstIndex(of: c) else { return nil }
        return (x, i)
      }
      if uses.isEmpty { continue }
      step.refills.append(try refill(g, e, stack, uses, backwards: s.reverse != g.tape.scanShape(NodeID(g.items[e].node)).reverse, info.stage, reroll, slots))
    }
    return step
  }

  private func refill(_ g: Graph, _ e: Int, _ stack: Stack, _ uses: [(x: Int, carry: Int)], backwards: Bool, _ stage: UInt8, _ reroll: Reroll.Mode, _ slots: Int?) throws(Failure) -> Refill {
    let n = NodeID(g.items[e].node), s = g.tape.scanShape(n), (offsets, size) = stateOffsets(g.stateBytes(e)), t = stack.body.tape
    let xs = stack.inputs.filter { $0 >= s.carries && $0 < s.carries + s.xs }.count, buffer = g.items[e].value + Int32(g.tape.memberCount(n))
    var made = Refill(buffer: buffer, slots: stack.slots, length: stack.length, reverse: s.reverse, backwards: backwards, operands: stack.inputs.map { operand(g, e, $0, stage) },
                      carries: stack.state.count, xs: xs, consts: stack.inputs.count - stack.state.count - xs, offsets: offsets, stateSize: size,
                      bytes: stack.body.inputs.prefix(stack.state.count + xs).map { t.type($0).bytes },
                      body: try Structure(t, [(stack.body.inputs, stack.body.outputs)], reroll: reroll, slots: slots), uses: uses)
    // Who reads backwards changes what is kept, and other stages run more than once.
    if backwards, g.items[e].stage == stage, let k = scans.firstIndex(where: { $0.kept?.buffer == buffer }), scans[k].kept?.inPassing == false {
      scans[k].kept?.inPassing = true
      made.prefilled = true
    }
    return made
  }

  private static func constantBlock(_ g: Graph, _ v: borrowing Values) throws(Failure) -> Memory<UInt8> {
    let block = try Memory<UInt8>(v.constantBytes, filling: 0)
    for i in 0 ..< v.constants.count {
      let x = v.list[Int(v.constants[i])], n = NodeID(g.items[Int(x.position)].node), r = g.tape.record(n)
      let p = UnsafeMutableRawPointer(block.p + x.place)
      if r.op == Structural.array.rawValue {
        p.copyMemory(from: g.tape.arrays[Int(r.a)].data, byteCount: x.bytes)
      } else {
        store(g.tape.constantBits(n), g.tape.dtype(n), at: p)
      }
    }
    return block
  }
}

private func nothing(_ c: borrowing Call) -> String? { nil }
