use cvae_gpu::gpu::*; use cvae_gpu::model::{self,*}; use cvae_gpu::ops::{adam::Adam,fetch::Packed,rng::Order,state::StepState}; use cvae_gpu::params;
use std::time::Instant;
fn main(){ pollster::block_on(async {
  let t0=Instant::now();
  let batch: usize = std::env::args().nth(1).map_or(32,|s|s.parse().unwrap());
  let sel = Selection{ variant: std::env::var("V").ok().map(|v|v.parse().unwrap()), checked: std::env::var("CHECKED").is_ok(), ..Default::default()};
  let gpu=Gpu::open(&sel).await.unwrap();
  let m=Model::default(); let set=cvae_gpu::data::load("mnist",cvae_gpu::data::Binarize::Threshold).unwrap();
  println!("open+data {:?}",t0.elapsed());
  let data=Packed{shape:m.image,count:60000,depth:set.train.images.depth()};
  let p=model::train_step(&m,Feed::Resident("train.images",data,Order::Shuffled),Adam::default(),batch,gpu.caps());
  let mem=Memory::allocate(&gpu,&[&p]).unwrap();
  let r=Replay::compile(&gpu,&p,&mem).unwrap();
  println!("compiled {:?}",t0.elapsed());
  mem.write_words(&gpu,&p,"train.images",&set.train.images.device_words()).unwrap();
  mem.write_words(&gpu,&p,"state",&StepState::start(1,cvae_gpu::rng::Stream::Train).to_words()).unwrap();
  for (s,v) in m.params().iter().zip(params::initial(&m.params(),1)) { mem.write(&gpu,&p,&s.name,&v).unwrap(); }
  gpu.submit(&[(&r,1)],None).unwrap().words(&gpu).await.unwrap();
  println!("first step {:?}",t0.elapsed());
  let n= (640/batch).max(2);
  let mut ts=vec![]; for _ in 0..5 { let t=Instant::now(); gpu.submit(&[(&r,n)],None).unwrap().words(&gpu).await.unwrap(); ts.push(t.elapsed().as_secs_f64()*1e3/n as f64);} ts.sort_by(f64::total_cmp);
  println!("ms/step median {:.2} min {:.2} max {:.2}",ts[2],ts[0],ts[4]);
  let mut acc=vec![0.0;p.steps().len()]; for _ in 0..5 { for (a,b) in acc.iter_mut().zip(gpu.profile(&r).await.unwrap().unwrap()) { *a+=b/5.0; } }
  let tot:f64=acc.iter().sum();
  for (s,t) in p.steps().iter().zip(&acc) { println!("{:42} {:14} {:16} {:7.3} ms {:5.1}% {:6.1} GF/s", s.label,s.kernel.module,s.kernel.entry,t,100.0*t/tot,s.flops as f64/t/1e6); }
  println!("sum {tot:.2} loss {:?}", mem.read(&gpu,&p,"metrics").await.unwrap()[..5].to_vec());
})}
