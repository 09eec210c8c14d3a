import CKernels
import Glibc

/// Runs a block program. `base` holds where each entry begins; behind it stands where it is now.
func run(_ p: UnsafePointer<RunBlock>, _ base: Table) {
  if let f = p.pointee.direct { return f(base, 0, p.pointee.count) }
  run(p.pointee, base)
}

func run(_ b: RunBlock, _ base: Table) {
  if b.count == 0 { return }
  fill(b, base)
  run(b, base, 0, b.count)
}

/// A lane's table: values as in `base`, registers in its own scratch, those that keep something filled.
func prepareLane(_ b: RunBlock, _ base: Table, _ scratch: UnsafeMutableRawPointer, _ lane: Int) -> Table {
  let own = (scratch + lane * b.laneBytes + b.laneTable).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
  for e in 0 ..< b.entries {
    let here = b.shapes[e].register >= 0 ? base[e].map { $0 + lane * b.laneBytes } : base[e]
    own[e] = here
    own[b.entries + e] = b.shapes[e].register >= 0 ? here : nil
  }
  fill(b, own)
  return own
}

private func fill(_ b: RunBlock, _ base: Table) {
  for i in 0 ..< b.fillCount {
    let f = b.fills[i], s = b.shapes[Int(f.source)]
    guard let from = base[Int(f.source)], let to = base[Int(f.target)] else { continue }
    let n = min(b.block, b.count)
    if f.dtype == 2 || f.dtype == 3 {
      guard let middle = base[b.temporary] else { continue }
      ck_stretch(2, from, middle, 0, n, s.rep, s.period)
      ck_cast_kernel(Int32(f.dtype), 1)?(middle, nil, nil, to, n)
    } else {
      ck_stretch(Int(s.size), from, to, 0, n, s.rep, s.period)
    }
  }
}

/// The blocks of the elements `first` ..< `end`; `first` is a multiple of the block.
func run(_ b: RunBlock, _ base: Table, _ first: Int, _ end: Int) {
  let now = base + b.entries
  var start = first
  while start < end {
    let n = min(b.block, end - start)
    for i in 0 ..< b.movingCount {
      let (e, size) = b.moving[i]
      now[Int(e)] = base[Int(e)].map { $0 + start * Int(size) }
    }
    for i in 0 ..< b.instructionCount {
      let p = b.instructions[i]
      if let k = p.kernel {
        k(now[Int(p.x)], now[Int(p.y)], now[Int(p.z)], now[Int(p.out)], n)
      } else if p.part >= 0 {
        run(b, b.parts[Int(p.part)], base, n)
      } else if p.out == 0 {
        store(b, b.stores[Int(p.x)], base, now, start, n)
      } else if let from = base[Int(p.x)], let to = base[Int(p.out)] {
        let s = b.shapes[Int(p.x)], size = Int(s.size), within = start % s.period
        if s.bits {
          ck_unpack_bits(from.assumingMemoryBound(to: UInt8.self) + start / 8, n, to.assumingMemoryBound(to: UInt8.self))
          now[Int(p.out)] = to
        } else if p.y > 0 {
          let pitch = Int(b.maps[Int(s.map) + 3])
          ck_unweave(size, Int(p.y), from + (Int(b.maps[Int(s.map)]) + start * pitch) * size, pitch, n, now, b.columns + Int(p.z), b.count > 100_000)
        } else if s.map >= 0 {
          ck_stage(size, b.maps + Int(s.map), from, start, n, to)
          now[Int(p.out)] = to
        } else if s.rep == 1, within + n <= s.period {
          now[Int(p.out)] = from + within * size
        } else {
          ck_stretch(size, from, to, start, n, s.rep, s.period)
          now[Int(p.out)] = to
        }
      }
    }
    start += n
  }
}

private func store(_ b: RunBlock, _ s: BlockStore, _ base: Table, _ now: Table, _ start: Int, _ n: Int) {
  guard let out = base[Int(s.out)] else { return }
  let size = Int(b.shapes[Int(s.out)].size), width = s.width, columns = b.columns + Int(s.columns), to = out + s.offset * size
  if width == 0 {
    if let x = now[Int(columns[0])] { ck_pack_bits(x.assumingMemoryBound(to: UInt8.self), n, out.assumingMemoryBound(to: UInt8.self) + start / 8) }
    return
  }
  if s.buffer > 0, let rows = base[Int(s.buffer)] {
    ck_interleave(size, Int(s.count), now, columns, n, rows + s.offset * size, s.pitch, false)
    if s.completes { ck_stream(out + start * s.pitch * size, rows, n * s.pitch * size) }
    return
  }
  if width == 1 {
    ck_interleave(size, Int(s.count), now, columns, n, to + start * s.pitch * size, s.pitch, true)
    return
  }
  for c in 0 ..< Int(s.count) { ck_spread(size, width, s.pitch, now[Int(columns[c])], start, n, to + c * width * size) }
}

/// A part on n elements. Where it writes past the caches, it begins with the few up to a vector's boundary.
private func run(_ b: RunBlock, _ part: RunPart, _ base: Table, _ n: Int) {
  var from = 0
  if part.stream > 0, let p = base[b.entries + Int(part.stream)] {
    let beyond = Int(bitPattern: p) & 63
    if beyond > 0 { from = min((64 - beyond) / part.streamSize, n) }
    if part.lanes == 0 { if from > 0 { part.function(base, 0, from) } } else {
      var k = 0
      while k < from {
        let m = min(part.lanes, from - k)
        if m == part.lanes { part.function(base, k, k + m) } else { runRest(b, part, base, k, k + m) }
        k += m
      }
    }
  }
  let whole = part.lanes == 0 ? n : n - (n - from) % part.lanes
  if whole > from { part.function(base, from, whole) }
  if whole < n { runRest(b, part, base, whole, n) }
}

/// The last elements of a block, fewer than the machine takes at a time, beside their memory.
private func runRest(_ b: RunBlock, _ part: RunPart, _ base: Table, _ from: Int, _ to: Int) {
  let now = base + b.entries, beside = (base[b.spills] ?? UnsafeMutableRawPointer(base)) + part.restOffset
  for k in 0 ..< part.restCount {
    let r = b.rests[part.rests + k], e = Int(r.entry), size = Int(r.size), place = beside + 64 * k
    guard let p = now[e] else { continue }
    // 32 bytes for the elements, then where the entry was.
    (place + 32).storeBytes(of: p, as: UnsafeMutableRawPointer.self)
    if r.reads { memcpy(place, p + from * size, (to - from) * size) }
    now[e] = place - from * size
  }
  part.function(base, from, from + part.lanes)
  for k in 0 ..< part.restCount {
    let r = b.rests[part.rests + k], e = Int(r.entry), size = Int(r.size), place = beside + 64 * k
    let p = (place + 32).load(as: UnsafeMutableRawPointer.self)
    now[e] = p
    if r.writes { memcpy(p + from * size, place, (to - from) * size) }
  }
}
