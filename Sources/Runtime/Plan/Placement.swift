import CKernels
import Tape

enum Region: UInt8 { case none, arena, constants, input, output, small, pinned }

/// A place: a region and an offset in it, or the number of a host's array and bytes from its start.
struct Ref: BitwiseCopyable {
  var offset = 0
  var region = Region.none
  var bytes = 0

  /// The place of what lies `n` bytes further on.
  func further(_ n: Int) -> Ref {
    var r = self
    if region == .input || region == .output { r.bytes = bytes &+ n } else { r.offset = offset &+ n }
    return r
  }
}

struct Alias: BitwiseCopyable {
  var stage: Int, output: Int, input: Int
}

/// Places of all values and of the steps' scratch. From the arena's start: the slots of scalar programs, single numbers, values
/// that later stages read (never reused), then everything else by liveness.
struct Placement: ~Copyable {
  let ref: Memory<Ref>
  /// By time, in the arena.
  let scratch: Memory<Int>
  /// By output: the host's array is written by the step itself.
  let bound: Memory<Bool>
  /// By output: a place where an input is saved before outputs are copied over it.
  let saved: Memory<Ref>
  private(set) var memory = 0

  private let blocks: [BlockCode]
  private var arena = Arena()
  private var smallFree = List<Int>()
  private var smallEnd = 0, pinnedEnd = 0

  /// `needs`: bytes of scratch by time.
  static func make(_ s: Structure, _ blocks: [BlockCode], aliases: [Alias], needs: Memory<Int>) throws(Failure) -> Placement {
    let ref = try Memory(s.values.list.count, filling: Ref()), scratch = try Memory(s.clusters.schedule.count, filling: 0)
    let bound = try Memory(s.values.outputs.count, filling: false), saved = try Memory(s.values.outputs.count, filling: Ref())
    var p = Placement(ref: ref, scratch: scratch, bound: bound, saved: saved, blocks: blocks)
    try p.build(s, aliases, needs)
    return p
  }

  private mutating func build(_ s: Structure, _ aliases: [Alias], _ needs: Memory<Int>) throws(Failure) {
    let last = try Memory<Int32>(s.values.list.count, filling: -1)
    for v in 0 ..< s.values.list.count {
      let x = s.values.list[v]
      if x.parent >= 0 { continue }
      last[v] = x.last
      switch x.origin {
      case .host: ref[v] = Ref(offset: x.place, region: .input)
      case .constant: ref[v] = Ref(offset: x.place, region: .constants)
      case .kept, .step:
        if x.pinned {
          let place = try pin(x.bytes)
          ref[v] = place
        }
      }
    }
    for (v, n) in s.numbers { ref[Int(v)] = Ref(offset: Int(n) * 8, region: .small) }
    smallEnd = s.numbers.count * 8
    try bind(s, aliases, last)
    for k in 0 ..< s.stages {
      for t in s.clusters.stageStart[k] ..< s.clusters.stageStart[k + 1] { try place(s, t, last, needs[t]) }
      for o in 0 ..< s.values.outputs.count where Int(s.values.outputs[o].stage) == k { try release(s, Int(s.values.outputs[o].value), last) }
    }
    finish(s)
  }

  private init(ref: Memory<Ref>, scratch: Memory<Int>, bound: Memory<Bool>, saved: Memory<Ref>, blocks: [BlockCode]) {
    self.blocks = blocks
    self.ref = ref
    self.scratch = scratch
    self.bound = bound
    self.saved = saved
  }

  private mutating func pin(_ bytes: Int) throws(Failure) -> Ref {
    let r = Ref(offset: pinnedEnd, region: .pinned)
    pinnedEnd = pinnedEnd &+ up(max(bytes, 1), 64)
    guard pinnedEnd <= Arena.limit else { throw refused }
    return r
  }

  // MARK: outputs

  /// An output's step writes the host's array, where no later read of an input that lies there forbids it.
  private mutating func bind(_ s: Structure, _ aliases: [Alias], _ last: Memory<Int32>) throws(Failure) {
    var isOutput = Set<Int32>()
    if !aliases.isEmpty { for o in 0 ..< s.values.outputs.count { isOutput.insert(Int32(s.values.base(Int(s.values.outputs[o].value)))) } }
    var under: [Int: Int32] = [:], over: [Int32: Int] = [:]   // output (stage << 32 | index) -> value of the input under it, and back
    for a in aliases where s.hosts[a.stage][a.input] >= 0 {
      under[a.stage << 32 | a.output] = s.hosts[a.stage][a.input]
      over[s.hosts[a.stage][a.input]] = a.output
    }
    for o in 0 ..< s.values.outputs.count {
      let out = s.values.outputs[o], v = s.values.base(Int(out.value)), x = s.values.list[v], whole = v == Int(out.value)
      var free = whole && x.origin == .step && x.stage == out.stage && !x.pinned && ref[v].region == .none
      if free, !under.isEmpty, let w = under[Int(out.stage) << 32 | Int(out.index)] { free = !isOutput.contains(w) && mayOverwrite(s, w, by: v) }
      if free {
        bound[o] = true
        ref[v] = Ref(offset: Int(out.index), region: .output)
      } else if x.origin == .step, !x.pinned, ref[v].region == .none {
        last[v] = Int32.max   // until the stage's copies are made
      } else if x.origin == .host, let j = over[Int32(v)], j != Int(out.index) {
        let place = try pin(s.values.list[Int(out.value)].bytes)
        saved[o] = place
      }
    }
  }

  private func mayOverwrite(_ s: Structure, _ w: Int32, by v: Int) -> Bool {
    let input = s.values.list[Int(w)], t = s.values.list[v].first
    if input.last < t { return true }
    if input.last > t { return false }
    // Of the last reader and first writer: a scalar step loads before it stores.
    let info = s.clusters.steps[Int(s.clusters.schedule[Int(t)])]
    if info.kind == .scalar { return true }
    if info.kind != .block { return false }
    let b = blocks[Int(s.code[Int(t)])]
    guard let read = b.inputs.first(where: { $0.value == w }), let written = b.outputs.first(where: { $0.value == v }) else { return false }
    return read.instruction <= written.instruction
  }

  // MARK: steps

  private mutating func place(_ s: Structure, _ t: Int, _ last: Memory<Int32>, _ need: Int) throws(Failure) {
    let info = s.clusters.steps[Int(s.clusters.schedule[t])]
    for i in 0 ..< Int(info.writeCount) {
      let v = Int(s.values.writes[Int(info.writeStart) + i])
      guard ref[v].region == .none else { continue }
      let bytes = s.values.list[v].bytes   // of the whole, when the first piece of it is written
      if bytes <= 8 {
        if smallFree.isEmpty { smallEnd += 8; try smallFree.add(smallEnd - 8) }
        let offset = smallFree.pop()
        ref[v] = Ref(offset: offset, region: .small)
      } else if info.kind == .block, let w = donor(s, blocks[Int(s.code[t])], v, t, last) {
        ref[v] = ref[w]
        last[w] = -2   // its place lives on
      } else {
        ref[v] = Ref(offset: try arena.allocate(bytes), region: .arena)
      }
    }
    if need > 0 {
      scratch[t] = try arena.allocate(need)
      arena.free(scratch[t], need)
    }
    for i in 0 ..< Int(info.readCount) {
      let v = Int(s.values.reads[Int(info.readStart) + i])
      if last[v] == Int32(t) { try vacate(s, v, last) }
    }
    for i in 0 ..< Int(info.writeCount) {
      let v = Int(s.values.writes[Int(info.writeStart) + i])
      if last[v] == Int32(t) { try vacate(s, v, last) }
    }
  }

  /// An operand that dies in this cluster, read for the last time no later than `v` is written, element by element.
  private func donor(_ s: Structure, _ b: BlockCode, _ v: Int, _ t: Int, _ last: Memory<Int32>) -> Int? {
    guard let written = b.outputs.first(where: { $0.value == v }) else { return nil }
    for use in b.inputs {
      let w = Int(use.value), x = s.values.list[w]
      if last[w] == Int32(t), x.def < Int32(t), x.bytes == s.values.list[v].bytes, ref[w].region == .arena, use.instruction <= written.instruction { return w }
    }
    return nil
  }

  private mutating func vacate(_ s: Structure, _ v: Int, _ last: Memory<Int32>) throws(Failure) {
    switch ref[v].region {
    case .arena: arena.free(ref[v].offset, s.values.list[v].bytes)
    case .small: try smallFree.add(ref[v].offset)
    default: break
    }
    last[v] = -2
  }

  /// After a stage the outputs that were copied are free.
  private mutating func release(_ s: Structure, _ v: Int, _ last: Memory<Int32>) throws(Failure) {
    let v = s.values.base(v)
    if last[v] == Int32.max { try vacate(s, v, last) }
  }

  private mutating func finish(_ s: Structure) {
    let small = s.numbersAt, pinned = small &+ up(smallEnd, 64), rest = pinned &+ pinnedEnd
    func fix(_ r: inout Ref) {
      switch r.region {
      case .small: r = Ref(offset: r.offset &+ small, region: .arena)
      case .pinned: r = Ref(offset: r.offset &+ pinned, region: .arena)
      case .arena: r.offset = r.offset &+ rest
      default: break
      }
    }
    for v in 0 ..< ref.count { fix(&ref.p[v]) }
    for v in 0 ..< ref.count where s.values.list[v].parent >= 0 { ref[v] = ref[Int(s.values.list[v].parent)].further(s.values.list[v].shift) }
    for o in 0 ..< saved.count { fix(&saved.p[o]) }
    for t in 0 ..< scratch.count { scratch[t] = scratch[t] &+ rest }
    memory = rest &+ arena.end
  }
}
