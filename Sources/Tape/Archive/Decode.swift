import CKernels

/// Reading trusts nothing: sizes are checked against the file before memory is asked for, and every node passes its type rule again. What is
/// allocated stays below some twenty times the file.
extension Archive {
  package convenience init(decoding file: UnsafeRawBufferPointer) throws(Failure) {
    self.init()
    let sections = try Archive.sections(file)
    let d = try Decoder(sections)
    for s in sections where s.kind == .functions { (functions, notes) = (try d.functions(s.section), notes) }
    for s in sections where s.kind == .notes { notes = try Archive.notes(s.section) }
    for s in sections where s.kind == .labels { try d.labels(s.section) }
  }

  fileprivate typealias Part = (kind: Format.Section, section: Section)

  /// Header, table, order, places and checksums.
  private static func sections(_ file: UnsafeRawBufferPointer) throws(Failure) -> [Part] {
    func word(_ at: Int) -> UInt32 { UInt32(littleEndian: file.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }
    func long(_ at: Int) -> UInt64 { UInt64(littleEndian: file.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
    guard file.count >= 8, file[0 ..< 8].elementsEqual(Format.magic) else {
      throw Failure(.io, file.count < 8 ? "is truncated: \(file.count) bytes are no header" : "is no archive: it does not begin as one")
    }
    guard file.count >= Format.header else { throw Failure(.io, "is truncated: \(file.count) bytes are no header") }
    guard word(8) == Format.version || word(8) == Format.labelled else { throw Failure(.io, "has version \(word(8)) of the format; this library reads versions \(Format.version) and \(Format.labelled)") }
    let size = long(16), count = Int(word(12))
    guard size == UInt64(file.count) else {
      throw Failure(.io, size > UInt64(file.count) ? "is truncated: the header announces \(size) bytes, \(file.count) are there" : "is altered: the header announces \(size) bytes, \(file.count) are there")
    }
    guard count <= (file.count - Format.header) / Format.entry else { throw Failure(.io, "is altered: byte 12: \(count) sections do not fit") }
    let top = Format.header + count * Format.entry
    let sum = Format.checksum(UnsafeRawBufferPointer(rebasing: file[32 ..< top]), Format.checksum(UnsafeRawBufferPointer(rebasing: file[0 ..< 24])))
    guard long(24) == sum else { throw Failure(.io, "is altered: the checksum of header and table (bytes 0 to \(top)) is wrong") }
    var parts: [Part] = [], at = top, kind = 0, number = 0
    for i in 0 ..< count {
      let e = Format.header + i * Format.entry, begin = Format.up(at), tag = word(e), offset = long(e + 8), bytes = long(e + 16)
      func wrong(_ why: String) -> Failure { Failure(.io, "is altered: byte \(e): section \(i) \(why)") }
      while kind < Format.Section.allCases.count, Format.Section.allCases[kind].word != tag { (kind, number) = (kind + 1, 0) }
      guard kind < Format.Section.allCases.count, Int(word(e + 4)) == number, number == 0 || tag == Format.Section.tape.word else { throw wrong("is of an unknown kind or out of order") }
      number += 1
      guard offset == UInt64(begin), begin <= file.count, bytes <= UInt64(file.count - begin) else { throw wrong("lies at byte \(offset) and has \(bytes) bytes, where byte \(begin) of \(file.count) is next") }
      for j in at ..< begin where file[j] != 0 { throw Failure(.io, "is altered: byte \(j) between sections is not 0") }
      at = begin + Int(bytes)
      let name = Format.Section.allCases[kind].tag + (tag == Format.Section.tape.word ? " \(number - 1)" : "")
      let raw = UnsafeRawBufferPointer(rebasing: file[begin ..< at])
      guard Format.checksum(raw) == long(e + 24) else { throw Failure(.io, "is altered: the checksum of section \(name) (bytes \(begin) to \(at)) is wrong") }
      parts.append((Format.Section.allCases[kind], Section(raw, offset: begin, name: name)))
    }
    guard at == file.count else { throw Failure(.io, "is altered: \(file.count - at) bytes stand behind the last section") }
    for k in Format.Section.allCases where k != .tape && parts.contains(where: { $0.kind == k }) != (k != .labels || word(8) == Format.labelled) {
      if k == .labels, word(8) == Format.version { throw Failure(.io, "is altered: version 1 has no section LABL") }
      throw Failure(.io, "is altered: section \(k.tag) is missing")
    }
    return parts
  }

  private static func notes(_ section: Section) throws(Failure) -> [(key: String, text: String)] {
    var s = section, list: [(key: String, text: String)] = []
    for _ in 0 ..< (try s.count("notes", 2)) {
      let key = try s.text()
      guard !key.isEmpty, list.last.map({ $0.key < key }) ?? true else { throw s.wrong("note \"\(key)\" is out of order") }
      list.append((key, try s.text()))
    }
    try s.end()
    return list
  }
}

/// A constant that tapes share.
private final class Blob {
  let data: UnsafeMutableRawPointer
  let bytes: Int, hash: UInt64
  init(_ p: UnsafeRawBufferPointer) throws(Failure) {
    guard let copy = ck_alloc(p.count) else { throw refused }
    if let b = p.baseAddress { copy.copyMemory(from: b, byteCount: p.count) }
    data = copy
    bytes = p.count
    hash = Tape.hash(p)
  }
  deinit { ck_free(data) }
  /// Bytes of bools are 0 and 1.
  private(set) lazy var isBool = UnsafeRawBufferPointer(start: data, count: bytes).allSatisfy { $0 < 2 }
}

private final class Decoder {
  private let operators: [OpCode]
  private let types: [TensorType]
  private let attributes: [[Int]]
  private let blobs: [Blob]
  /// A section's tape: a body, or one that functions name.
  private struct Read {
    let tape: Tape
    let nodes: [NodeID]
    let body: Body?
    /// Loops inside loops, and nodes when every loop has its body to itself.
    let depth: Int, unfolded: Int
  }
  private var tapes: [Read] = []

  init(_ parts: [Archive.Part]) throws(Failure) {
    var o: [OpCode] = [], t: [TensorType] = [], a: [[Int]] = [], b: [Blob] = []
    for (kind, section) in parts {
      var s = section
      switch kind {
      case .operators:
        for _ in 0 ..< (try s.count("operators", 2)) {
          let name = try s.text()
          guard let op = Decoder.byName[name] else { throw s.wrong("operator \"\(name)\" is unknown to this version of the library (\(Decoder.byName.count) are known)") }
          o.append(op)
        }
      case .types:
        for _ in 0 ..< (try s.count("types", 2)) {
          guard let d = DType(rawValue: Int32(truncatingIfNeeded: try s.word())) else { throw s.wrong("no dtype") }
          let rank = try s.count("extents", 2)
          guard rank <= TensorType.rankLimit else { throw s.wrong("rank \(rank)") }
          var shape: [Int] = []
          for _ in 0 ..< rank { shape.append(Int(truncatingIfNeeded: try s.long())) }
          guard let type = TensorType(d, checking: shape) else { throw s.wrong("shape \(text(shape)) cannot exist") }
          t.append(type)
        }
      case .attributes:
        for _ in 0 ..< (try s.count("lists", 1)) {
          var list: [Int] = []
          for _ in 0 ..< (try s.count("attributes", 2)) { list.append(Int(truncatingIfNeeded: try s.long())) }
          a.append(list)
        }
      case .data: b = try Decoder.blobs(&s)
      default: continue
      }
      try s.end()
    }
    (operators, types, attributes, blobs) = (o, t, a, b)
    let nodes = parts.reduce(0) { $1.kind == .tape ? $0 + $1.section.bytes.count / 8 : $0 }
    for p in parts where p.kind == .tape { try decode(p.section, limit: max(1 << 20, nodes * 64)) }
  }

  static let byName: [String: OpCode] = {
    var table: [String: OpCode] = [:]
    for raw in 0 ..< UInt16(CK_ROW_COUNT) { table[OpCode(raw: raw).name] = OpCode(raw: raw) }
    for s in Structural.allCases { table[row(s).name] = OpCode(s) }
    return table
  }()

  private static func blobs(_ s: inout Section) throws(Failure) -> [Blob] {
    let n = try s.long()
    guard n <= UInt64(s.left / 8) else { throw s.wrong("\(n) constants do not fit into the \(s.left) bytes left") }
    var sizes: [Int] = [], list: [Blob] = []
    for _ in 0 ..< Int(n) {
      let size = try s.long()
      guard size <= UInt64(s.bytes.count) else { throw s.wrong("a constant of \(size) bytes") }
      sizes.append(Int(size))
    }
    for (i, size) in sizes.enumerated() {
      let begin = Format.up(s.at)
      guard begin <= s.bytes.count, size <= s.bytes.count - begin else { throw s.wrong("constant \(i) of \(size) bytes does not fit") }
      for j in s.at ..< begin where s.bytes[j] != 0 { throw s.wrong("a constant is followed by other than zeros") }
      list.append(try Blob(UnsafeRawBufferPointer(rebasing: s.bytes[begin ..< begin + size])))
      s.move(to: begin + size)
    }
    return list
  }

  private func decode(_ section: Section, limit: Int) throws(Failure) {
    var s = section
    let t = Tape(), kind = try s.word(), count = try s.count("nodes", 2)
    guard kind < 2 else { throw s.wrong("a tape is of kind \(kind)") }
    var nodes: [NodeID] = [], depth = 0, unfolded = count, constants = [Int32](repeating: -1, count: blobs.count), numbers: [Int: Int] = [:], inputs = 0
    nodes.reserveCapacity(count)
    for k in 0 ..< count {
      guard s.has(1) else { throw s.wrong("the section ends before node \(k) of \(count)") }
      let w = s.peek(0), arity = Int(w >> 16), number = Int(w & 0xFFFF)
      guard number < operators.count, s.has(1 + arity) else { throw s.wrong("node \(k): operator \(number) of \(operators.count) with \(arity) operands") }
      let op = operators[number]
      func wrong(_ why: String) -> Failure { s.wrong("node \(k) (\(op.name)): \(why)") }
      @inline(__always) func operand(_ i: Int) -> NodeID {
        let p = Int(s.peek(1 + i))
        return p < k ? nodes[p] : .none
      }
      let made: NodeID
      if op.isElementwise {
        guard arity == Int(ck_row_arity(Int32(op.raw))) else { throw wrong("\(arity) operands") }
        let x = operand(0), y = arity > 1 ? operand(1) : .none, z = arity > 2 ? operand(2) : .none
        guard !x.isNone, arity < 2 || !y.isNone, arity < 3 || !z.isNone else { throw wrong("an operand does not stand before it") }
        made = t.elementwise(op, x, y, z)
        if made.isNone { throw refusal(t, wrong) }
        s.skip(1 + arity)
      } else {
        var x: [NodeID] = []
        for i in 0 ..< arity {
          let n = operand(i)
          if n.isNone { throw wrong("operand \(i) does not stand before it") }
          x.append(n)
        }
        guard let structural = op.structural, s.has(2 + arity) else { throw wrong("the section ends in it") }
        let id = Int(s.peek(1 + arity)), type = id < types.count ? types[id] : nil
        guard type != nil || s.peek(1 + arity) == Format.tuple else { throw wrong("type \(id) of \(types.count)") }
        s.skip(2 + arity)
        func more(_ n: Int) throws(Failure) { if !s.has(n) { throw wrong("the section ends in it") } }
        func sound(_ condition: Bool, _ why: @autoclosure () -> String) throws(Failure) { if !condition { throw wrong(why()) } }
        switch structural {
        case .input:
          try sound(arity == 0 && type != nil, "operands or no type")
          made = t.input(type.unsafelyUnwrapped)
          inputs += 1
        case .capture: throw wrong("belongs to no file")
        case .constant:
          try more(2)
          try sound(arity == 0 && type?.rank == 0, "operands or no scalar")
          let bits = UInt64(s.peek(0)) | UInt64(s.peek(1)) << 32
          guard let type, isCanonical(bits, type.dtype) else { throw wrong("its bits are no \(type?.dtype.name ?? "value")") }
          made = t.constant(type.dtype, bits: bits)
          s.skip(2)
        case .array:
          try more(1)
          let b = Int(s.peek(0))
          guard arity == 0, let type, type.rank > 0, b < blobs.count, blobs[b].bytes == type.bytes, type.dtype != .bool || blobs[b].isBool else { throw wrong("its constant does not fit its type") }
          if constants[b] < 0 {
            constants[b] = Int32(t.arrays.count)
            t.arrayIndex[blobs[b].hash, default: []].append(t.arrays.count)
            t.arrays.append(ArrayConstant(data: blobs[b].data, bytes: blobs[b].bytes, hash: blobs[b].hash, owner: blobs[b]))
          }
          made = t.intern(Record(op: op.raw, arity: 0, type: t.intern(type), a: constants[b], b: 0, c: 0, attrs: 0))
          s.skip(1)
        default:
          try more(1)
          let list = Int(s.peek(0))
          try sound(list < attributes.count, "attributes \(list) of \(attributes.count)")
          var a = attributes[list]
          s.skip(1)
          switch structural {
          case .iota:
            guard arity == 0, let type, a.count == 1, a[0] < 0, a[0] >= -type.rank else { throw wrong("its axis does not fit its type") }
            made = t.iota(type, axis: a[0])
          case .part:
            try sound(arity == 1 && t.isTuple(x[0]) && a.count == 1 && a[0] >= 0 && a[0] < t.memberCount(x[0]), "no member of a tuple")
            made = t.part(x[0], a[0])
          case .host: throw wrong("belongs to no file")
          case .custom:
            let name = try s.text()
            var rules: [Body?] = []
            for _ in 0 ..< 2 {
              let b = Int(try s.word())
              try sound(b <= tapes.count && (b == 0 || tapes[b - 1].body != nil), "its rule is none of the tapes before")
              if b > 0 {
                depth = max(depth, tapes[b - 1].depth + 1)
                unfolded = unfolded &+ tapes[b - 1].unfolded
                try sound(depth < Tape.depthLimit && unfolded <= limit, "what is in it unfolds too far")
              }
              rules.append(b == 0 ? nil : tapes[b - 1].body)
            }
            made = try t.restoredCustom(x, a, RecordedRule(name, jvp: rules[0], vjp: rules[1]), wrong)
          default:
            for slot in bodySlots(structural, a) {
              guard slot < a.count, a[slot] >= 0, a[slot] < tapes.count, let b = tapes[a[slot]].body else { throw wrong("its body is none of the tapes before") }
              let inner = tapes[a[slot]]
              depth = max(depth, inner.depth + 1)
              unfolded = unfolded &+ inner.unfolded
              guard depth < Tape.depthLimit, unfolded <= limit else { throw wrong(depth < Tape.depthLimit ? "loops in it unfold to more than \(limit) nodes" : "more than \(Tape.depthLimit) loops inside each other") }
              if numbers[a[slot]] == nil {
                numbers[a[slot]] = t.bodies.count
                t.bodyIndex[b.hash, default: []].append(t.bodies.count)
                t.bodies.append(b)
              }
              a[slot] = numbers[a[slot]].unsafelyUnwrapped
            }
            made = try t.restored(structural, x, a, wrong)
          }
        }
        if made.isNone { throw refusal(t, wrong) }
        guard t.isTuple(made) ? type == nil : t.type(made) == type else {
          throw wrong("its type rule gives \(t.isTuple(made) ? "several results" : t.type(made).description), the file says \(type?.description ?? "several")")
        }
      }
      nodes.append(made)
    }
    var body: Body?
    if kind == 1 {
      let ins = try places(&s, "input", nodes, t), outs = try places(&s, "output", nodes, t)
      guard ins.allSatisfy({ t.structural($0) == .input }), Set(ins).count == ins.count, ins.count == inputs else { throw s.wrong("the body's parameters are not its inputs") }
      body = Body(tape: t, inputs: ins, outputs: outs)
    } else {
      for i in 0 ..< (try s.count("guards", 3)) {
        let n = try node(&s, "guard \(i)", nodes, t), expected = try s.word()
        guard t.dtype(n) == .bool, expected < 2 else { throw s.wrong("guard \(i) is no bool") }
        t.guards.append(Guard(node: n, expected: expected == 1, label: try s.text()))
      }
    }
    try s.end()
    tapes.append(Read(tape: t, nodes: nodes, body: body, depth: depth, unfolded: unfolded))
  }

  private func places(_ s: inout Section, _ what: String, _ nodes: [NodeID], _ t: Tape) throws(Failure) -> [NodeID] {
    var list: [NodeID] = []
    for i in 0 ..< (try s.count(what + "s", 1)) { list.append(try node(&s, "\(what) \(i)", nodes, t)) }
    return list
  }
  private func node(_ s: inout Section, _ what: @autoclosure () -> String, _ nodes: [NodeID], _ t: Tape) throws(Failure) -> NodeID {
    let p = Int(try s.word())
    guard p < nodes.count, !t.isTuple(nodes[p]) else { throw s.wrong("\(what()) is no node of the tape") }
    return nodes[p]
  }

  private func refusal(_ t: Tape, _ wrong: (String) -> Failure) -> Failure {
    guard let f = t.failure else { return wrong("could not be made") }
    return f.code == .memory && f.message.hasPrefix("tape: memory") ? refused : wrong(f.message)
  }

  /// Values that lie in a tape are those of their dtype.
  private func isCanonical(_ bits: UInt64, _ d: DType) -> Bool {
    switch d {
    case .f64, .i64: return true
    case .f32, .f16, .bf16:
      let v = Double(bitPattern: bits)
      return v.isNaN || rounded(v, to: d).bitPattern == bits
    case .i32: return Int64(bitPattern: bits) == Int64(Int32(truncatingIfNeeded: Int64(bitPattern: bits)))
    case .bool: return bits < 2
    }
  }

  /// Labels of all tapes: runs of nodes that have the same.
  func labels(_ section: Section) throws(Failure) {
    var s = section, list: [Label] = []
    for i in 0 ..< (try s.count("labels", 3)) {
      let text = try s.text(), sweep = try s.word(), op = Int(try s.word())
      guard !text.isEmpty, sweep <= 2, sweep == 0 ? op == 0 : op > 0 && op <= operators.count else { throw s.wrong("label \(i) is empty, or of sweep \(sweep) and operator \(op)") }
      list.append(Label(text: text, file: "", line: 0, sweep: Int32(sweep), op: op > 0 ? operators[op - 1].raw : 0))
    }
    guard !list.isEmpty else { throw s.wrong("there are no labels") }
    for t in tapes {
      var next = 0, last: Int32 = -1
      for _ in 0 ..< (try s.count("runs", 2)) {
        let at = Int(try s.word()), l = Int(try s.word())
        guard at >= next, at < t.nodes.count, l <= list.count else { throw s.wrong("a run of label \(l) of \(list.count) at node \(at) of \(t.nodes.count)") }
        next = at + 1
        // Nodes that a file holds twice are one.
        guard t.nodes[at].index > last else { continue }
        last = t.nodes[at].index
        t.tape.labels.from(Int(last), l > 0 ? list[l - 1] : nil)
      }
      t.tape.labels.from(t.tape.count, nil)
    }
    try s.end()
  }

  func functions(_ section: Section) throws(Failure) -> [Archive.Function] {
    var s = section, list: [Archive.Function] = [], known = Set<String>()
    for _ in 0 ..< (try s.count("functions", 6)) {
      let name = try s.text(), number = Int(try s.word())
      guard !name.isEmpty, known.insert(name).inserted else { throw s.wrong("function \"\(name)\" has no name or another's") }
      guard number < tapes.count, tapes[number].body == nil else { throw s.wrong("function \"\(name)\" is of no tape") }
      let t = tapes[number]
      var nodes: [[NodeID]] = [], names: [[String]] = []
      for what in ["input", "output"] {
        var n: [NodeID] = [], m: [String] = []
        for i in 0 ..< (try s.count(what + "s", 2)) {
          n.append(try node(&s, "\(what) \(i) of \"\(name)\"", t.nodes, t.tape))
          m.append(try s.text())
        }
        let given = m.filter { !$0.isEmpty }
        guard Set(given).count == given.count else { throw s.wrong("two \(what)s of \"\(name)\" have one name") }
        nodes.append(n)
        names.append(m)
      }
      guard Set(nodes[0]).count == nodes[0].count else { throw s.wrong("an input of \"\(name)\" stands twice") }
      var f = Archive.Function(name: name, tape: t.tape, inputs: nodes[0], outputs: nodes[1], inputNames: names[0], outputNames: names[1])
      for _ in 0 ..< (try s.count("options", 3)) {
        let option = try s.text()
        guard f.options.last.map({ $0.name < option }) ?? true else { throw s.wrong("option \"\(option)\" is out of order") }
        f.options.append((option, Double(bitPattern: try s.long())))
      }
      for _ in 0 ..< (try s.count("aliases", 2)) {
        let output = Int(try s.word()), input = Int(try s.word())
        guard output < f.outputs.count, input < f.inputs.count else { throw s.wrong("output \(output) over input \(input) of \"\(name)\"") }
        f.aliases.append((output, input))
      }
      list.append(f)
    }
    try s.end()
    return list
  }
}

extension Tape {
  static func hash(_ p: UnsafeRawBufferPointer) -> UInt64 {
    var h: UInt64 = 0xCBF2_9CE4_8422_2325
    for b in p { h = (h ^ UInt64(b)) &* 0x100_0000_01B3 }
    return h
  }

  /// A node of a file, its bodies' numbers being this tape's.
  func restored(_ s: Structural, _ x: [NodeID], _ a: [Int], _ wrong: (String) -> Failure) throws(Failure) -> NodeID {
    for (i, n) in x.enumerated() where isTuple(n) { throw wrong("operand \(i) is a tuple") }
    if s == .scan { return try restoredScan(x, a, wrong) }
    if s == .cond { return try restoredCond(x, a, wrong) }
    if s == .whileLoop { return try restoredWhile(x, a, wrong) }
    if s == .checkpoint {
      guard a.count == 2, a[0] >= 1, a[0] < x.count, a[1] >= 0, a[1] < 2 else { throw wrong("attributes \(text(a.prefix(16)))") }
      return marked(Array(x[..<a[0]]), Array(x[a[0]...]), a[1])
    }
    guard let fits = mayLoad(s, x.map { type($0) }, a) else { throw wrong("cannot be read from files") }
    guard fits else { throw wrong("\(x.count) operands with attributes \(text(a.prefix(16))) do not fit") }
    return apply(s, x, a)
  }

  /// An output with a rule, of the types that it and its rule were made for.
  func restoredCustom(_ x: [NodeID], _ a: [Int], _ rule: RecordedRule, _ wrong: (String) -> Failure) throws(Failure) -> NodeID {
    for (i, n) in x.enumerated() where isTuple(n) { throw wrong("operand \(i) is a tuple") }
    guard a.count >= 3, a[0] == 0, a[1] >= 0, a[2] >= 0, a[1] <= x.count, a[2] <= x.count, a[1] + a[2] < x.count, (a.count - 3) % (1 + a[1]) == 0 else {
      throw wrong("attributes \(text(a.prefix(16)))")
    }
    // Types of one instance: the last batching is the outermost.
    var types = x.map { type($0) }
    for k in stride(from: a.count - 1 - a[1], to: 2, by: -(1 + a[1])) {
      for i in types.indices where i >= a[1] + a[2] || i < a[1] && a[k + 1 + i] != 0 {
        guard types[i].shape.first == a[k], i >= a[1] || a[k + 1 + i] == 1 else { throw wrong("operand \(i) has no batch of \(a[k])") }
        types[i] = types[i].with(shape: Array(types[i].shape.dropFirst()))
      }
    }
    let ins = Array(types[..<a[1]]), outs = Array(types[(a[1] + a[2])...]), floats = (ins.filter(\.dtype.isFloat), outs.filter(\.dtype.isFloat))
    for (b, directions, results) in [(rule.forward, floats.0, floats.1), (rule.backward, floats.1, floats.0)] {
      guard let b else { continue }
      guard b.inputs.map({ b.tape.type($0) }) == ins + outs + directions, b.outputs.map({ b.tape.type($0) }) == results else { throw wrong("its rule is for other types") }
    }
    return custom(rule, x, Array(a[1...]))
  }

  private func restoredScan(_ x: [NodeID], _ a: [Int], _ wrong: (String) -> Failure) throws(Failure) -> NodeID {
    guard a.count == 7 || a.count == 8, a[1...].allSatisfy({ $0 >= 0 && $0 <= TensorType.countLimit }), a[6] < 2 else { throw wrong("attributes \(text(a.prefix(16)))") }
    let b = bodies[a[0]], (carries, xs, consts, ys, length) = (a[1], a[2], a[3], a[4], a[5])
    guard carries + xs + consts == x.count, b.inputs.count == x.count, b.outputs.count == carries + ys else { throw wrong("its body does not have its numbers of operands and results") }
    for (i, n) in x.enumerated() {
      let have = type(n), want = b.tape.type(b.inputs[i])
      let slice = i >= carries && i < carries + xs
      guard slice ? have.shape.first == length && have.dtype == want.dtype && Array(have.shape.dropFirst()) == want.shape : have == want else {
        throw wrong("operand \(i) is \(have.description), its body takes \(want.description)")
      }
    }
    var members: [Int32] = []
    for (i, o) in b.outputs.enumerated() {
      let t = b.tape.type(o)
      guard i >= carries || t == type(x[i]) else { throw wrong("carry \(i) is \(type(x[i]).description), its body gives \(t.description)") }
      guard let m = i < carries ? t : TensorType(t.dtype, checking: [length] + t.shape) else { throw wrong("stacked results are too large") }
      members.append(intern(m))
    }
    return add(OpCode(.scan), x, type: tupleType(members), attrs: a)
  }

  private func restoredCond(_ x: [NodeID], _ a: [Int], _ wrong: (String) -> Failure) throws(Failure) -> NodeID {
    guard !x.isEmpty, !a.isEmpty, a.count <= Tape.branchLimit, !isTuple(x[0]) else { throw wrong("\(x.count) operands and \(a.count) branches") }
    let c = type(x[0])
    guard c.rank == 0, c.dtype == .bool ? a.count == 2 : c.dtype.isInteger else { throw wrong("\(c.description) chooses among \(a.count) branches") }
    let list = a.map { bodies[$0] }
    for b in list {
      guard b.inputs.count == x.count - 1, b.outputs.count == list[0].outputs.count else { throw wrong("its branches do not have its numbers of operands and results") }
      for (i, n) in x.dropFirst().enumerated() where isTuple(n) || type(n) != b.tape.type(b.inputs[i]) { throw wrong("operand \(i + 1) is not what a branch takes") }
      for (o, p) in zip(b.outputs, list[0].outputs) where b.tape.type(o) != list[0].tape.type(p) { throw wrong("its branches give results of different types") }
    }
    return add(OpCode(.cond), x, type: tupleType(list[0].outputs.map { intern(list[0].tape.type($0)) }), attrs: a)
  }

  private func restoredWhile(_ x: [NodeID], _ a: [Int], _ wrong: (String) -> Failure) throws(Failure) -> NodeID {
    guard a.count == 5, a[1] >= 1, a[2] >= 0, a[1] < x.count, a[2] < x.count, a[3] >= -1, a[3] < Int(Int32.max), a[4] >= 0, a[4] <= 1 << 20 else { throw wrong("attributes \(text(a.prefix(16)))") }
    let b = bodies[a[0]], carries = a[1]
    guard carries + a[2] + 1 == x.count, b.inputs.count == x.count - 1, b.outputs.count == carries + 1 else { throw wrong("its body does not have its numbers of operands and results") }
    for (i, n) in x.enumerated() {
      guard !isTuple(n) else { throw wrong("operand \(i) is a tuple") }
      let want = i < b.inputs.count ? b.tape.type(b.inputs[i]) : TensorType(.bool, [])
      guard type(n) == want else { throw wrong("operand \(i) is \(type(n).description), its body takes \(want.description)") }
    }
    for (i, o) in b.outputs.enumerated() {
      let t = b.tape.type(o), want = i < carries ? type(x[i]) : TensorType(.bool, [])
      guard t == want else { throw wrong("result \(i) of its body is \(t.description), not \(want.description)") }
    }
    return add(OpCode(.whileLoop), x, type: tupleType(x[..<carries].map { intern(type($0)) }), attrs: a)
  }
}
