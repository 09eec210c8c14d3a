// Trains a network (784-256-128-10, relu) on the 60,000 images of Fashion-MNIST and tests it on 10,000 others.
//
//   swift run --package-path examples -c release fashion
//   --precision f64|f32|bf16|f16   --epochs N   --seed N   --limit N (train on the first N)   --data DIR   --out FILE
//
// main.c, main.cpp and main.py are the same program: the four print the same losses to the last bit.
import CZlib
import Camber
import Glibc

let pixels = 784, batch = 128, testBatch = 1000
let widths = [pixels, 256, 128, 10]
let names = ["w1", "b1", "w2", "b2", "w3", "b3"]

struct Failure: Error, CustomStringConvertible { let description: String }
func fail(_ sentence: String) -> Failure { Failure(description: sentence) }

func text(_ format: String, _ values: CVarArg...) -> String {
  withVaList(values) { list in
    var line = [CChar](repeating: 0, count: 256)
    vsnprintf(&line, line.count, format, list)
    return String(cString: line)
  }
}

// ---- Options and data ------------------------------------------------------------------------------------------------

struct Options {
  var data = "/usr/share/datasets/fashion-mnist", out = "fashion.safetensors", precision = "f32"
  var epochs = 10, seed = 1, limit = 60000

  init(_ arguments: [String]) throws {
    let known = "options: --precision --epochs --seed --limit --data --out"
    for i in stride(from: 0, to: arguments.count, by: 2) {
      let name = arguments[i]
      guard i + 1 < arguments.count else { throw fail("\(name) wants a value; \(known)") }
      let value = arguments[i + 1]
      switch name {
      case "--precision": precision = value
      case "--epochs": epochs = try Options.whole(name, value, 1)
      case "--seed": seed = try Options.whole(name, value, 0)
      case "--limit": limit = try Options.whole(name, value, batch)
      case "--data": data = value
      case "--out": out = value
      default: throw fail("no option \(name); \(known)")
      }
    }
    guard ["f64", "f32", "bf16", "f16"].contains(precision) else { throw fail("--precision is f64, f32, bf16 or f16, not '\(precision)'") }
  }

  static func whole(_ name: String, _ text: String, _ low: Int) throws -> Int {
    guard let v = Int(text), v >= low, v <= 1_000_000_000 else { throw fail("\(name) wants a whole number from \(low), not '\(text)'") }
    return v
  }
}

/// The items of a gzipped IDX file: a big-endian magic number and count (for images two sizes more), then bytes.
func readIDX(_ path: String, magic: Int, item: Int) throws -> [UInt8] {
  guard let file = gzopen(path, "rb") else { throw fail("cannot open \(path): apt install dataset-fashion-mnist, or give --data DIR") }
  defer { gzclose(file) }
  var head = [UInt8](repeating: 0, count: item == 1 ? 8 : 16)
  guard gzread(file, &head, UInt32(head.count)) == head.count, Int(head[2]) << 8 | Int(head[3]) == magic else {
    throw fail("\(path) is not an IDX file of the expected kind")
  }
  let count = head[4 ..< 8].reduce(0) { $0 << 8 | Int($1) }
  guard count <= 1_000_000 else { throw fail("\(path) claims \(count) items") }
  var data = [UInt8](repeating: 0, count: count * item)
  guard gzread(file, &data, UInt32(data.count)) == data.count else { throw fail("\(path) ends early") }
  return data
}

struct Dataset {
  let images, labels: [UInt8]

  init(_ folder: String, _ kind: String) throws {
    images = try readIDX("\(folder)/\(kind)-images-idx3-ubyte.gz", magic: 0x803, item: pixels)
    labels = try readIDX("\(folder)/\(kind)-labels-idx1-ubyte.gz", magic: 0x801, item: 1)
    guard images.count == labels.count * pixels else { throw fail("\(folder)/\(kind): images and labels differ in number") }
  }
}

func splitmix(_ state: inout UInt64) -> UInt64 {
  state &+= 0x9E37_79B9_7F4A_7C15
  var z = state
  z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
  return z ^ z >> 31
}

func shuffle(_ order: inout [Int], _ state: inout UInt64) {
  for i in stride(from: order.count - 1, to: 0, by: -1) { order.swapAt(i, Int(splitmix(&state) % UInt64(i + 1))) }
}

// ---- The network -------------------------------------------------------------------------------------------------------

struct Precision {
  let dtype, compute: DType  // of the parameters and data; of what is between
  let scaled: Bool  // f16: the loss is multiplied by a power of two

  init(_ name: String) {
    dtype = name == "f64" ? .f64 : .f32
    compute = name == "bf16" ? .bf16 : name == "f16" ? .f16 : dtype
    scaled = name == "f16"
  }
}

struct Network {
  let tape = Tape()
  let params: [Node], inputs: [Node]  // inputs: the parameters, then x
  let logits: Node

  init(_ p: Precision, rows: Int) {
    let t = tape
    params = (0 ..< 3).flatMap { (i: Int) -> [Node] in [t.input(p.dtype, [widths[i], widths[i + 1]]), t.input(p.dtype, [widths[i + 1]])] }
    var y = t.input(p.dtype, [rows, pixels])
    inputs = params + [y]
    for i in 0 ..< 3 {
      y = y.matmul(params[2 * i]) + params[2 * i + 1]
      if i < 2 { y = relu(y) }
    }
    logits = y
  }

  /// y computed in the precision's 16-bit dtype, if it has one.
  func inPrecision(_ p: Precision, _ y: Node) throws -> Node {
    p.compute == p.dtype ? y : try tape.precision([y], inputs, compute: p.compute, output: p.dtype)[0]
  }
}

/// (params, x, labels, scale) -> (loss, gradients of scale * loss, their norms)
func trainingProgram(_ p: Precision) throws -> Program {
  let n = Network(p, rows: batch)
  let labels = n.tape.input(.i64, [batch]), scale = n.tape.input(p.dtype)
  let each = (labels.oneHot(widths[3], p.dtype) * n.logits.logSoftmax(-1)).sum([-1])
  let loss = try n.inPrecision(p, -each.mean())
  let gradients = try n.tape.grad(p.scaled ? loss * scale : loss, n.params)
  let inputs = n.inputs + [labels, scale]
  print("tape " + text("%016llx", try n.tape.hash(inputs, [loss] + gradients)))
  return try Program(n.tape, inputs: inputs, outputs: [loss] + gradients + gradients.map { $0.norm() })
}

/// (params, x) -> the most likely classes
func testProgram(_ p: Precision) throws -> Program {
  let n = Network(p, rows: testBatch)
  return try Program(n.tape, inputs: n.inputs, outputs: [try n.inPrecision(p, n.logits).argmax(-1)])
}

// ---- Training ------------------------------------------------------------------------------------------------------------

/// T is the type of the parameters and data: Float or Double.
final class Trainer<T: BinaryFloatingPoint> {
  typealias Buffer = UnsafeMutableBufferPointer<T>

  let precision: Precision
  let training, testing: Run
  let optimizer: Optimizer
  var scaler: LossScaler
  let shapes: [[Int]] = (0 ..< 3).flatMap { (i: Int) -> [[Int]] in [[widths[i], widths[i + 1]], [widths[i + 1]]] }
  let params, gradients: [Buffer]
  let x: Buffer, numbers: Buffer  // numbers: the loss, its scale, the gradients' norms
  let labels = UnsafeMutableBufferPointer<Int64>.allocate(capacity: testBatch)
  var factor = 1.0  // what the last loss was scaled by

  init(_ p: Precision, seed: Int, steps: Int) throws {
    func zeros(_ count: Int) -> Buffer {
      let b = Buffer.allocate(capacity: count)
      b.initialize(repeating: 0)
      return b
    }
    precision = p
    training = try trainingProgram(p).makeRun()
    testing = try testProgram(p).makeRun()
    scaler = try LossScaler()
    optimizer = try Optimizer("adamw", ["learning_rate": 1e-3], schedule: Schedule("cosine", ["steps": Double(steps)]))
    for (name, shape) in zip(names, shapes) { try optimizer.add(name, p.dtype, shape) }
    params = shapes.map { zeros($0.reduce(1, *)) }
    gradients = shapes.map { zeros($0.reduce(1, *)) }
    x = zeros(testBatch * pixels)
    numbers = zeros(8)
    try initialise(seed)
  }

  deinit {
    for b in params + gradients + [x, numbers] { b.deallocate() }
    labels.deallocate()
  }

  /// He's initialisation from a counter-based generator: weights normal with variance 2 / inputs; biases stay zero.
  func initialise(_ seed: Int) throws {
    let tape = Tape(), key = tape.input(.i64)
    let weights = (0 ..< 3).map { (i: Int) -> Node in
      let layer = foldKey(key, tape.integer(Int64(i))), deviation = (2 / Double(widths[i])).squareRoot()
      return tape.randomNormal(key: layer, shapes[2 * i], precision.dtype) * deviation
    }
    let run = try Program(tape, inputs: [key], outputs: weights).makeRun()
    var seed = Int64(seed)
    try withUnsafePointer(to: &seed) { try run(inputs: [UnsafeRawPointer($0)], outputs: [0, 2, 4].map { UnsafeMutableRawPointer(params[$0].baseAddress) }) }
  }

  /// The images order(0), ... as numbers from 0 to 1, with their labels.
  func fill(_ d: Dataset, _ rows: Int, _ order: (Int) -> Int) {
    d.images.withUnsafeBufferPointer { images in
      for i in 0 ..< rows {
        let k = order(i)
        labels[i] = Int64(d.labels[k])
        for j in 0 ..< pixels { x[i * pixels + j] = T(Double(images[k * pixels + j]) / 255) }
      }
    }
  }

  /// One batch: the loss, its gradients, the parameters moved.
  func step() throws -> Double {
    factor = precision.scaled ? scaler.scale : 1
    numbers[1] = T(factor)
    let number = UnsafeMutableRawPointer(numbers.baseAddress), width = MemoryLayout<T>.stride
    let inputs = params.map { UnsafeRawPointer($0.baseAddress) } + [UnsafeRawPointer(x.baseAddress), UnsafeRawPointer(labels.baseAddress), UnsafeRawPointer(number.map { $0 + width })]
    let slopes = gradients.map { UnsafeMutableRawPointer($0.baseAddress) }
    try training(inputs: inputs, outputs: [number] + slopes + (2 ..< 8).map { i in number.map { $0 + i * width } })
    let arrays = gradients.compactMap { g in g.baseAddress.map { (pointer: UnsafeMutableRawPointer($0), dtype: precision.dtype, count: g.count) } }
    if !precision.scaled || scaler.unscale(arrays) { _ = try optimizer.step(params.map { UnsafeMutableRawPointer($0.baseAddress) }, slopes.map { UnsafeRawPointer($0) }) }
    return Double(numbers[0])
  }

  /// Percent of the images that are told right.
  func accuracy(_ d: Dataset) throws -> Double {
    let found = UnsafeMutableBufferPointer<Int64>.allocate(capacity: testBatch), batches = d.labels.count / testBatch
    defer { found.deallocate() }
    var right = 0
    for b in 0 ..< batches {
      fill(d, testBatch) { b * testBatch + $0 }
      try testing(inputs: params.map { UnsafeRawPointer($0.baseAddress) } + [UnsafeRawPointer(x.baseAddress)], outputs: [UnsafeMutableRawPointer(found.baseAddress)])
      right += (0 ..< testBatch).count { found[$0] == labels[$0] }
    }
    return batches > 0 ? 100 * Double(right) / Double(batches * testBatch) : 0
  }

  func report() {
    for (i, name) in names.enumerated() { print("gradient norm \(name) " + text("%.6g", Double(numbers[2 + i]) / factor)) }
    if precision.scaled { print("skipped steps \(scaler.skipped)") }
  }

  func save(_ path: String) throws {
    try saveTensors(path, zip(zip(names, shapes), params).compactMap { named, p in
      p.baseAddress.map { (name: named.0, dtype: precision.dtype, shape: named.1, data: UnsafeRawPointer($0)) }
    })
  }
}

func now() -> Double {
  var t = timespec()
  clock_gettime(CLOCK_MONOTONIC, &t)
  return Double(t.tv_sec) + 1e-9 * Double(t.tv_nsec)
}

func train<T: BinaryFloatingPoint>(_: T.Type, _ o: Options, _ data: Dataset, _ test: Dataset) throws {
  var order = Array(0 ..< min(o.limit, data.labels.count))
  let steps = order.count / batch
  guard steps > 0 else { throw fail("\(order.count) training images are fewer than a batch of \(batch)") }
  let trainer = try Trainer<T>(Precision(o.precision), seed: o.seed, steps: o.epochs * steps)

  var state = UInt64(o.seed), shown = 0.0, right = 0.0, tested = "--"
  let start = now(), terminal = isatty(1) == 1
  for epoch in 1 ... o.epochs {
    var sum = 0.0
    shuffle(&order, &state)
    for i in 0 ..< steps {
      trainer.fill(data, batch) { order[i * batch + $0] }
      sum += try trainer.step()
      if terminal, now() - shown > 0.1 {
        let done = Double((epoch - 1) * steps + i + 1), rate = done / (now() - start)
        print(text("\repoch %ld/%ld  loss %.4f  test \(tested)  %.0f images/s  %.0f s left \u{1B}[K", epoch, o.epochs, sum / Double(i + 1),
                   rate * Double(batch), (Double(o.epochs * steps) - done) / rate), terminator: "")
        fflush(stdout)
        shown = now()
      }
    }
    right = try trainer.accuracy(test)
    tested = text("%.2f", right) + " %%"
    print((terminal ? "\r\u{1B}[K" : "") + text("epoch %ld loss %.13a %.6f", epoch, sum / Double(steps), sum / Double(steps)))
    fflush(stdout)
  }
  trainer.report()
  try trainer.save(o.out)
  print(text("test accuracy: %.2f %%", right))
}

do {
  let o = try Options(Array(CommandLine.arguments.dropFirst()))
  let data = try Dataset(o.data, "train"), test = try Dataset(o.data, "t10k")
  if o.precision == "f64" { try train(Double.self, o, data, test) } else { try train(Float.self, o, data, test) }
} catch {
  fputs("fashion: \(error)\n", stderr)
  exit(1)
}
