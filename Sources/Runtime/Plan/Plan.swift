import CKernels
import Tape

/// A step as it runs: the number among its kind and its part of the pointer table.
struct RunStep: BitwiseCopyable {
  var kind: Kind
  var code: Int32
  /// Threads that share it; 1: none beside the caller's. Of moves the first.
  var lanes: Int32 = 1
  var table: Int
}

/// A copy between two entries of the table; `more` follow it.
struct RunMove: BitwiseCopyable {
  var from: Int32, to: Int32
  var offset: Int, bytes: Int
  var more: Bool
}

/// A pointer of the table that each run takes from the host.
struct Patch: BitwiseCopyable {
  var table: Int
  var host: Int32
  var output: Bool
  var bytes = 0
}

struct RunCopy: BitwiseCopyable {
  var from: Ref, to: Ref
  var bytes: Int
}

/// A stage's parts of the plan's lists.
struct RunStage: BitwiseCopyable {
  /// Up to `moving` they change from one run to the next of a loop's body.
  var patches = 0, moving = 0, patchEnd = 0
  var steps = 0, stepEnd = 0
  /// Copies: inputs kept for later stages; inputs saved from outputs over them; outputs.
  var keeps = 0, saves = 0, finals = 0, copyEnd = 0
}

/// A structure with places: everything that runs share. Pointers of steps stand in one table, resolved once by each workspace;
/// those of the host's arrays are written anew by each run.
final class Plan {
  let structure: Structure
  /// The clusters as they run.
  let vectors: VectorBlocks
  let memory: Int
  private(set) var steps = List<RunStep>()
  private(set) var table = List<Ref>()
  private(set) var patches = List<Patch>()
  private(set) var moves = List<RunMove>()
  let transfers: Memory<ck_transfer>
  /// An output may lie over an input.
  let overlaps: Bool
  let translated = Guarded(Translation.untried)
  private(set) var copies = List<RunCopy>()
  let stages: Memory<RunStage>
  /// By number among the kernels' steps.
  let splits: Memory<Split>
  /// By number among the loops and branches, which share their memory.
  private(set) var bodies: [[Plan]] = []
  static func common(_ b: [Plan]) -> Int { b.reduce(0) { max($0, $1.memory) } }
  /// By loop, by refill.
  private(set) var refills: [[Plan]] = []

  /// Inputs from number `fixed` on stay where they are from one run of a loop's body to the next.
  init(_ s: Structure, aliases: [Alias], threads: Int, fixed: Int = Int.max, _ backend: Backend) throws(Failure) {
    structure = s
    vectors = s.vectors(backend)
    overlaps = !aliases.isEmpty
    transfers = try Memory(unset: s.scalars.transfers.count)
    for x in s.scans {
      var list: [Plan] = []
      for b in x.bodies { list.append(try Plan(b, aliases: [], threads: threads, fixed: x.form == .branch ? Int.max : x.carries + x.xs, backend)) }
      bodies.append(list)
      var again: [Plan] = []
      for r in x.refills { again.append(try Plan(r.body, aliases: [], threads: threads, fixed: r.carries + r.xs, backend)) }
      refills.append(again)
    }
    splits = try Memory(s.kernels.count, filling: Split.none)
    for (i, k) in s.kernels.enumerated() { splits[i] = Split.make(k, threads: threads) }
    let lanes = try Memory<Int32>(s.clusters.schedule.count, filling: 1), needs = try Memory(s.clusters.schedule.count, filling: 0)
    for t in 0 ..< s.clusters.schedule.count {
      let n = Int(s.code[t])
      if n < 0 { continue }
      switch s.clusters.steps[Int(s.clusters.schedule[t])].kind {
      case .kernel:
        lanes[t] = Int32(splits[n].lanes)
        needs[t] = s.kernels[n].scratch &+ splits[n].scratch
      case .rows:
        let b = s.rowBlocks[n], l = b.lanes(threads)
        lanes[t] = Int32(l)
        needs[t] = l > 1 ? l &* b.laneBytes : b.scratch
      case .block:
        let b = vectors.blocks[n], l = b.lanes(threads)
        lanes[t] = Int32(l)
        needs[t] = l > 1 ? l &* b.laneBytes : b.scratch
      case .scan: needs[t] = s.scans[n].scratch(Plan.common(bodies[n]), refills: refills[n].map(\.memory))
      default: break
      }
    }
    let place = try Placement.make(s, vectors.blocks, aliases: aliases, needs: needs)
    memory = max(place.memory, 64)
    stages = try Memory(s.stages, filling: RunStage())
    try add(Ref())   // entry 0 is no pointer
    for k in 0 ..< s.stages {
      stages[k].patches = patches.count
      stages[k].steps = steps.count
      for t in s.clusters.stageStart[k] ..< s.clusters.stageStart[k + 1] { try step(t, place, lanes[t], needs[t]) }
      stages[k].stepEnd = steps.count
      stages[k].patchEnd = patches.count
      stages[k].moving = stages[k].patches
      for i in stages[k].patches ..< patches.count where patches[i].output || patches[i].host < fixed {
        (patches[i], patches[stages[k].moving]) = (patches[stages[k].moving], patches[i])
        stages[k].moving += 1
      }
      try copies(k, place)
    }
    for i in 0 ..< transfers.count { transfers[i] = Plan.transfer(place.ref[Int(s.scalars.transfers[i].value)].further(s.scalars.transfers[i].shift)) }
  }

  private static func transfer(_ r: Ref) -> ck_transfer {
    switch r.region {
    case .input: ck_transfer(offset: Int64(r.bytes), host: Int32(r.offset), base: 1)
    case .output: ck_transfer(offset: Int64(r.bytes), host: Int32(r.offset), base: 2)
    default: ck_transfer(offset: Int64(r.offset), host: 0, base: 0)
    }
  }

  private func add(_ r: Ref) throws(Failure) {
    if r.region == .input || r.region == .output {
      try patches.add(Patch(table: table.count, host: Int32(r.offset), output: r.region == .output, bytes: r.bytes))
    }
    try table.add(r)
  }

  private func step(_ t: Int, _ place: borrowing Placement, _ lanes: Int32, _ need: Int) throws(Failure) {
    let s = structure, kind = s.clusters.steps[Int(s.clusters.schedule[t])].kind, n = Int(s.code[t])
    if n < 0 { return }
    let copies = kind == .kernel && lanes == 1 ? s.kernels[n].copies : []
    try steps.add(RunStep(kind: copies.isEmpty ? kind : .move, code: s.code[t], lanes: copies.isEmpty ? lanes : Int32(moves.count), table: table.count))
    for (i, c) in copies.enumerated() {
      try moves.add(RunMove(from: Int32(table.count + c.slot), to: Int32(table.count + s.kernels[n].operands.count), offset: c.offset, bytes: c.bytes, more: i + 1 < copies.count))
    }
    let scratch = place.scratch[t]
    switch kind {
    case .kernel:
      for v in s.kernels[n].operands { try add(place.ref[Int(v)]) }
      try add(place.ref[Int(s.kernels[n].out)])
      try add(need > 0 ? Ref(offset: scratch, region: .arena) : Ref())
    case .rows:
      // As below.
      let b = s.rowBlocks[n]
      let register = { (e: RowEntry) in Ref(offset: scratch + b.places[Int(e.register)], region: .arena) }
      for e in b.entries { try add(e.value >= 0 ? place.ref[Int(e.value)] : e.register >= 0 ? register(e) : Ref()) }
      for e in b.entries { try table.add(e.register >= 0 ? register(e) : Ref()) }
      try add(lanes > 1 ? Ref(offset: scratch, region: .arena) : Ref())
    case .block:
      // Where entries begin, then where they are in the current block, then the lanes' scratch.
      let b = vectors.blocks[n]
      for e in b.entries {
        try add(e.value >= 0 ? place.ref[Int(e.value)] : e.register >= 0 ? Ref(offset: scratch + Int(e.register) * b.registerBytes, region: .arena) : e.around ?? Ref())
      }
      // Where there is one block, they are where they begin.
      for e in b.entries {
        if e.advances, b.count <= b.block { try add(place.ref[Int(e.value)]) } else {
          try table.add(e.register >= 0 ? Ref(offset: scratch + Int(e.register) * b.registerBytes, region: .arena) : Ref())
        }
      }
      try add(lanes > 1 ? Ref(offset: scratch, region: .arena) : Ref())
    case .call:
      for v in s.calls[n].operands { try add(place.ref[Int(v)]) }
      for v in s.calls[n].members { try add(place.ref[Int(v)]) }
    case .scan:
      let x = s.scans[n]
      for v in x.operands { try add(place.ref[Int(v)]) }
      for v in x.members { try add(place.ref[Int(v)]) }
      var at = scratch + up(Plan.common(bodies[n]), 64)
      for k in 0 ..< x.more.halves {
        try add(Ref(offset: at, region: .arena))
        at += k < x.carries ? up(x.bytes[k], 64) : 64
      }
      // The body's inputs and outputs, then where its arena begins.
      for _ in 0 ..< x.more.own { try table.add(Ref()) }
      try add(Ref(offset: scratch, region: .arena))
      if let k = x.kept { try add(place.ref[Int(k.buffer)]) }
      // Of each refill: operands, the kept states, the other halves, the body's arena, then the body's inputs and outputs.
      for (r, plan) in zip(x.refills, refills[n]) {
        at = up(at, 64)
        for v in r.operands { try add(place.ref[Int(v)]) }
        try add(place.ref[Int(r.buffer)])
        try add(Ref(offset: at, region: .arena))
        at += r.backwards ? r.stateSize : 2 * r.stateSize
        try add(Ref(offset: at, region: .arena))
        at += plan.memory
        for _ in 0 ..< r.operands.count + r.carries { try table.add(Ref()) }
      }
    default: break
    }
  }

  private func copies(_ k: Int, _ place: borrowing Placement) throws(Failure) {
    let s = structure
    stages[k].keeps = copies.count
    for i in 0 ..< s.values.list.count {
      let v = s.values.list[i]
      if v.origin == .kept, v.parent < 0, Int(v.stage) == k { try copies.add(RunCopy(from: place.ref[v.place], to: place.ref[i], bytes: v.bytes)) }
    }
    stages[k].saves = copies.count
    for o in 0 ..< s.values.outputs.count where Int(s.values.outputs[o].stage) == k && place.saved[o].region != .none {
      let v = Int(s.values.outputs[o].value)
      try copies.add(RunCopy(from: place.ref[v], to: place.saved[o], bytes: s.values.list[v].bytes))
    }
    stages[k].finals = copies.count
    for o in 0 ..< s.values.outputs.count where Int(s.values.outputs[o].stage) == k && !place.bound[o] {
      let v = Int(s.values.outputs[o].value)
      let from = place.saved[o].region != .none ? place.saved[o] : place.ref[v]
      try copies.add(RunCopy(from: from, to: Ref(offset: Int(s.values.outputs[o].index), region: .output), bytes: s.values.list[v].bytes))
    }
    stages[k].copyEnd = copies.count
  }
}
