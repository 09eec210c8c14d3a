import CKernels
import Tape

/// A row program with raw pointers to its parts.
struct RunRows {
  var count: Int, block: Int
  var entries: Int
  var instructions: UnsafeMutablePointer<RowInstruction>
  var instructionCount: Int
  /// The memory that moves with the rows: entry and bytes a row.
  var moving: UnsafeMutablePointer<(Int32, Int)>
  var movingCount: Int
  var shapes: UnsafeMutablePointer<RowEntry>
  var fills: UnsafeMutablePointer<RowFill>
  var fillCount: Int
  var maps: UnsafeMutablePointer<Int64>
  var laneBytes: Int, laneTable: Int

  init(_ b: RowCode, _ memory: inout [Memory<UInt64>]) throws(Failure) {
    func pack<T>(_ list: [T]) throws(Failure) -> UnsafeMutablePointer<T> { try packed(list, &memory) }
    let moves = b.entries.indices.filter { b.entries[$0].advances }.map { (Int32($0), Int(b.entries[$0].size) * b.entries[$0].width) }
    (count, block, entries) = (b.count, b.block, b.entries.count)
    (instructions, instructionCount) = (try pack(b.instructions), b.instructions.count)
    (moving, movingCount) = (try pack(moves), moves.count)
    shapes = try pack(b.entries)
    (fills, fillCount) = (try pack(b.fills), b.fills.count)
    maps = try pack(b.maps.map { Int64($0) })
    (laneBytes, laneTable) = (b.laneBytes, up(b.scratch, 64))
  }
}

/// Runs a row program. `base` holds where each entry begins; behind it stands where it is now.
func run(_ b: RunRows, _ base: Table) {
  fill(b, base)
  run(b, base, 0, b.count)
}

/// A lane's table: values as in `base`, registers in its own scratch.
func prepareLane(_ b: RunRows, _ base: Table, _ scratch: UnsafeMutableRawPointer, _ lane: Int) -> Table {
  let own = (scratch + lane * b.laneBytes + b.laneTable).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
  for e in 0 ..< b.entries {
    own[e] = b.shapes[e].register >= 0 ? base[e].map { $0 + lane * b.laneBytes } : base[e]
    own[b.entries + e] = own[e]
  }
  fill(b, own)
  return own
}

private func fill(_ b: RunRows, _ base: Table) {
  for i in 0 ..< b.fillCount {
    let f = b.fills[i], s = b.shapes[Int(f.source)]
    guard let from = base[Int(f.source)], let to = base[Int(f.target)] else { continue }
    ck_stretch(Int(s.size), from, to, 0, min(b.block, b.count) * b.shapes[Int(f.target)].width, s.rep, s.period)
  }
}

/// Rows `first` ..< `end`.
func run(_ b: RunRows, _ base: Table, _ first: Int, _ end: Int) {
  let now = base + b.entries
  var row = first
  while row < end {
    let rows = min(b.block, end - row)
    for i in 0 ..< b.movingCount {
      let (e, bytes) = b.moving[i]
      now[Int(e)] = base[Int(e)].map { $0 + row * bytes }
    }
    for i in 0 ..< b.instructionCount {
      let p = b.instructions[i], n = rows * p.width
      if p.way == .pack {
        if let x = now[Int(p.x)], let to = base[Int(p.out)] { ck_pack_bits(x.assumingMemoryBound(to: UInt8.self), n, to.assumingMemoryBound(to: UInt8.self) + row * p.width / 8) }
        continue
      }
      guard let out = now[Int(p.out)] else { continue }
      if let k = p.kernel {
        k(now[Int(p.x)], now[Int(p.y)], now[Int(p.z)], out, n)
        continue
      }
      let s = b.shapes[Int(p.x)], size = Int(s.size)
      guard let x = s.advances || s.register >= 0 ? now[Int(p.x)] : base[Int(p.x)] else { continue }
      switch p.way {
      case .kernel, .pack: break
      case .unpack: ck_unpack_bits(x.assumingMemoryBound(to: UInt8.self) + row * p.width / 8, n, out.assumingMemoryBound(to: UInt8.self))
      case .stretch: ck_stretch(size, x, out, row * p.width, n, s.rep, s.period)
      case .stage: ck_stage(size, b.maps + Int(s.map), x, row * p.width, n, out)
      case .spread: ck_repeat(size, x, p.rep, n / p.rep, out)
      case .reduce: if let r = Reduction(rawValue: p.op) { ck_reduce(r, p.dtype, x, out, rows * p.outer, p.n, p.inner) }
      case .softmax: ck_softmax(p.dtype, x, out, rows * p.outer, p.n, p.inner)
      }
    }
    row += rows
  }
}
